/** Does what slivers ask for over their node's local API, or says why not: the requests of one SliceNode. */
import { isDeepStrictEqual } from 'node:util';
import { isLocalTo, LocalRefused } from '../../crds/localrequest.ts';
import { API_VERSION, podName } from '../../crds/names.ts';
import { mergePolicy } from '../../crds/ownerpolicy.ts';
import type { LocalRefusal, LocalRequest, ResourceCapability, SliceNode } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { type ApiError, isAlreadyExists, isStatus } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { Resources } from '../../kube/resources.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import type { Pod } from '../kinds.ts';
import { LOCAL_MANAGER, MANAGER } from '../managers.ts';
import { planDefaults, policiesOn } from '../node/defaults.ts';
import type { NodeState } from '../slice/plan/input.ts';
import { BY_NODE, type Stores } from '../stores.ts';
import type { CountLocal } from './metrics.ts';
import { type LocalPlan, planAsker, planLocal, planReads } from './plan.ts';
import { Turns } from './turns.ts';
import { cut } from '../../crds/text.ts';

export interface LocalDeps {
  client: ApiClient;
  stores: Pick<Stores, 'sliceNodes' | 'sliceNodePolicies' | 'capabilities'>;
  nodes: () => ReadonlyMap<string, NodeState>;
  count: CountLocal;
  /** ms of a clock that only grows */
  monotonic: () => number;
  log: Log;
}

const MAX_MESSAGE = 500;
/** Requests that the schema allows. */
const MOST = 16;

/** A node's word for a name goes into an address. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export function localReconciler({ client, stores, nodes, count, monotonic, log }: LocalDeps) {
  const turns = new Turns(monotonic);
  /** By node: what became of each request that is still there; undefined where it was done. */
  const settled = new Map<string, Map<string, LocalRefusal | undefined>>();

  return async (name: string, signal: AbortSignal): Promise<Outcome> => {
    const sliceNode = stores.sliceNodes.get(name);
    const { requests = [], refusals = [] } = sliceNode?.status ?? {};
    if (!sliceNode || (requests.length === 0 && refusals.length === 0)) {
      settled.delete(name);
      return Done;
    }
    // What an earlier leader refused stays refused.
    const before = settled.get(name) ?? new Map(refusals.map((refusal) => [refusal.id, refusal]));
    const known = new Map(requests.flatMap(({ id }) => (before.has(id) ? [[id, before.get(id)] as const] : [])));
    settled.set(name, known);
    let wait = 0;
    for (const request of requests.slice(0, MOST).filter(({ id }) => !known.has(id))) {
      // a stolen node must not keep the operator from its work
      wait = turns.take(name);
      if (wait > 0) break;
      known.set(request.id, await settle(sliceNode, request, signal));
    }
    const told = [...known.values()].filter((refusal) => refusal !== undefined);
    if (!isDeepStrictEqual(told, refusals)) {
      const status = { refusals: told };
      const object: SliceNode = { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name }, status };
      await client.apply(object, { fieldManager: LOCAL_MANAGER, force: true, subresource: 'status' }, signal);
    }
    return wait > 0 ? After(wait) : Done;
  };

  async function settle(of: SliceNode, request: LocalRequest, signal: AbortSignal): Promise<LocalRefusal | undefined> {
    const { id, operation, namespace, right } = request;
    const fields = { node: of.metadata.name, operation, namespace, right, name: request.name };
    try {
      const plan = await plans(of, request, signal);
      await carryOut(plan, signal).catch(refusedByServer);
      count(operation, 'Done');
      if (plan.kind !== 'done') log.info({ ...fields, did: plan.kind }, 'what a sliver asked its node for was done');
      return undefined;
    } catch (error) {
      if (!(error instanceof LocalRefused)) throw error;
      const { reason, message } = error;
      count(operation, reason);
      log.warn({ ...fields, reason, message }, 'what a sliver asked its node for was refused');
      return { id, reason, message: cut(message, MAX_MESSAGE) };
    }
  }

  /** Asks the API server itself: a store may not know yet what the sliver knows. */
  async function plans(of: SliceNode, request: LocalRequest, signal: AbortSignal): Promise<LocalPlan> {
    const { namespace } = request;
    const node = nodes().get(of.metadata.name);
    if (!node || ![namespace, request.right, request.name].every((one) => NAME.test(one))) {
      throw new LocalRefused('Invalid', 'the request names what can be no name, or its node is gone');
    }
    // What a manager asked for that has gone away since, nobody waits for any more.
    if (node.lost !== undefined) throw new LocalRefused('NotAllowed', `${node.name} ${node.lost}`);
    const get = (name: string) =>
      client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name }, signal);
    const [found, pod] = await Promise.all([
      get(request.right),
      client.get<Pod>(Resources.Pod, { namespace, name: podName(request.right) }, signal),
    ]);
    // What the node's own status has of its owner's policy proves nothing.
    const { defaults } = planDefaults(policiesOn(stores.sliceNodePolicies.list(), node.labels));
    const policy = mergePolicy(defaults?.policy ?? {}, of.spec ?? {});
    const by = planAsker({ request, node, policy, by: found, pod });
    const names = planReads(request, by);
    if (names.from !== undefined && !NAME.test(names.from)) throw new LocalRefused('Invalid', 'from can be no name');
    const target = await get(names.target);
    const from = names.from === undefined ? undefined : await get(names.from);
    const onNode = stores.capabilities.byIndex(BY_NODE, node.name);
    return planLocal({ request, by, target, from, count: onNode.filter((one) => isLocalTo(one, by)).length });
  }

  async function carryOut(plan: LocalPlan, signal: AbortSignal): Promise<void> {
    const resource = Resources.ResourceCapability;
    switch (plan.kind) {
      case 'create':
        await client.create(plan.object, { fieldManager: MANAGER, signal });
        return;
      case 'bind': {
        const patch = { metadata: { uid: plan.ref.uid }, spec: { sliceName: plan.sliceName } };
        await client.patch(resource, plan.ref, patch, { fieldManager: MANAGER, signal });
        return;
      }
      case 'release':
        await client.remove(resource, plan.ref, { propagation: 'Background', signal });
        return;
      case 'done':
    }
  }
}

/** A quota, an admission policy or the schema has the last word; what is only too early is tried again. */
function refusedByServer(error: unknown): never {
  if (isStatus(error, 400, 422)) throw new LocalRefused('Invalid', wordsOf(error));
  if (isStatus(error, 403, 404) && !isAlreadyExists(error)) throw new LocalRefused('NotAllowed', wordsOf(error));
  throw error;
}

/** Without the address that was asked. */
function wordsOf({ message }: ApiError): string {
  return `the API server refuses it: ${message.replace(/^[^:]*: \d+ /, '')}`;
}
