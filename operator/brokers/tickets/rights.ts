/** The rights that a broker acquires for tickets: made, looked at, released; and the value of one. */
import { CapabilityCondition, getCondition } from '../../../crds/conditions.ts';
import { API_VERSION, LABEL_NODE, nodeLabelValue, SECRET_KEY } from '../../../crds/names.ts';
import { isOffered } from '../../../crds/offer.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { isAlreadyExists } from '../../../kube/errors.ts';
import { resourcePath, Resources } from '../../../kube/resources.ts';
import { digestIn, type Secret } from '../../capability/value.ts';
import { isDeleting } from '../../kinds.ts';
import { type Entry, ticketOf } from './books.ts';
import { ANNOTATION_TICKET, issuerHash, LABEL_TICKETS, MANAGER } from './names.ts';
import { Refusal } from './refusal.ts';

const PAGE = 500;

/** What the node says of a right; undefined while it says nothing of it as it is. */
export type Verdict = { granted: true } | { granted: false; reason: string; message: string };

/** The right that an entry stands for. */
export function rightOf(entry: Entry, issuer: string, namespace: string): ResourceCapability {
  const { name, node, resources, window, contact } = entry;
  const labels = { [LABEL_NODE]: nodeLabelValue(node), [LABEL_TICKETS]: issuerHash(issuer) };
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: { name, namespace, labels, annotations: { [ANNOTATION_TICKET]: ticketOf(entry) } },
    spec: { nodeName: node, contact, resources, window, valueSecret: name },
  };
}

export function verdictOn({ metadata, status }: ResourceCapability): Verdict | undefined {
  const condition = getCondition(status?.conditions, CapabilityCondition.Granted);
  if (!condition || status?.observedGeneration !== metadata.generation) return undefined;
  const { reason, message } = condition;
  return condition.status === 'True' ? { granted: true } : { granted: false, reason, message };
}

export type RightsClient = Pick<ApiClient, 'get' | 'create' | 'remove' | 'request'>;

export function openRights(client: RightsClient, namespace: string) {
  const find = (name: string, signal: AbortSignal) =>
    client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name }, signal);

  return {
    find,
    /** The entry's right, made where there is none. Throws Refusal where somebody else's has its name. */
    async acquire(entry: Entry, issuer: string, signal: AbortSignal): Promise<ResourceCapability> {
      const wanted = rightOf(entry, issuer, namespace);
      const known = await find(entry.name, signal);
      if (!known) {
        try {
          return await client.create(wanted, { fieldManager: MANAGER, signal });
        } catch (error) {
          if (!isAlreadyExists(error)) throw error;
        }
      }
      const found = known ?? (await find(entry.name, signal));
      if (found?.metadata.annotations?.[ANNOTATION_TICKET] === ticketOf(entry)) return found;
      throw new Refusal('NotAnswered', `right ${namespace}/${entry.name} is not this ticket's: ask with another nonce`);
    },
    /** undefined while the operator has not made it, or where it is not that of the right as it is. */
    async value(right: ResourceCapability, signal: AbortSignal): Promise<string | undefined> {
      if (!isOffered(right)) return undefined;
      const { valueSecret, valueDigest } = right.status!;
      const secret = await client.get<Secret>(Resources.Secret, { namespace, name: valueSecret! }, signal);
      if (digestIn(secret) !== valueDigest) return undefined;
      return Buffer.from(secret!.data![SECRET_KEY]!, 'base64').toString();
    },
    /** Also where it is gone already. Only a right that carries a ticket. */
    async release(name: string, signal: AbortSignal): Promise<void> {
      const found = await find(name, signal);
      if (!found || isDeleting(found) || found.metadata.annotations?.[ANNOTATION_TICKET] === undefined) return;
      const { uid } = found.metadata;
      await client.remove(Resources.ResourceCapability, { namespace, name, uid }, { signal });
    },
    /** Those of tickets, of one issuer or of all; at most so many. */
    async list(signal: AbortSignal, issuer?: string, most = Infinity): Promise<ResourceCapability[]> {
      const path = resourcePath(Resources.ResourceCapability, { namespace });
      const labelSelector = issuer === undefined ? LABEL_TICKETS : `${LABEL_TICKETS}=${issuerHash(issuer)}`;
      const found: ResourceCapability[] = [];
      let next: string | undefined;
      do {
        const query = { labelSelector, limit: Math.min(PAGE, most), continue: next };
        const page = await client.request<{ items: ResourceCapability[]; metadata: { continue?: string } }>(
          'GET',
          path,
          { query, signal },
        );
        found.push(...page.items);
        next = page.metadata.continue || undefined;
      } while (next !== undefined && found.length < most);
      return found;
    },
  };
}

export type Rights = ReturnType<typeof openRights>;
