/** Makes the values of rights and reads those that are shown: the only place where Secrets are read or made. */
import { randomBytes } from 'node:crypto';
import { CapabilityEvent } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isAlreadyExists, isStatus } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Log } from '../../kube/log.ts';
import { Resources } from '../../kube/resources.ts';
import { MANAGER, STATUS_MANAGER } from '../managers.ts';
import { digestIn, digestOf, type Digests, ownDigestIn, planValue, type Secret, secretOf } from './value.ts';

export interface ValueDeps {
  client: ApiClient;
  recorder: Pick<EventRecorder, 'record'>;
  log: Log;
}

export function capabilityValues({ client, recorder, log }: ValueDeps) {
  /** Brings the digests in the status of an rcap up to date. */
  return async (known: ResourceCapability | undefined, signal: AbortSignal): Promise<void> => {
    if (!known || !isDue(known)) return;
    // what is written is for the version that was looked at: a store may lag behind our own writes
    const rcap = await client.get<ResourceCapability>(Resources.ResourceCapability, known.metadata, signal);
    if (!rcap || rcap.metadata.uid !== known.metadata.uid || !isDue(rcap)) return;
    try {
      await settle(rcap, signal);
    } catch (error) {
      if (!isStatus(error, 403)) throw error;
      const message = 'the operator may not make or read the values of rights: set operator.transfers in its chart';
      recorder.record(rcap, 'Warning', CapabilityEvent.TransfersNotAllowed, message);
    }
  };

  async function settle(rcap: ResourceCapability, signal: AbortSignal): Promise<void> {
    const { keep, make, read } = planValue(rcap);
    const { namespace, name, uid, resourceVersion, generation } = rcap.metadata;
    const status: Digests = { ...keep };
    if (make !== undefined) {
      const valueDigest = await made(rcap, make, keep, signal);
      if (valueDigest !== undefined) Object.assign(status, { valueSecret: make, valueDigest });
    }
    if (read !== undefined) {
      const secret = await client.get<Secret>(Resources.Secret, { namespace, name: read }, signal);
      // Of no Secret, or one that is none of ours, the node reads as of a wrong value.
      const redeemDigest = digestIn(secret) ?? digestOf(newValue());
      Object.assign(status, { redeemDigest, redeemGeneration: generation });
    }
    if (Object.keys(status).length === Object.keys(keep).length && !planValue(rcap).stale) return;
    const metadata = { namespace, name, uid, resourceVersion };
    const object = { apiVersion: API_VERSION, kind: 'ResourceCapability', metadata, status };
    await client.apply(object, { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' }, signal);
    log.info({ rcap: `${namespace}/${name}`, made: make, shown: read }, 'the digests of a right were written');
  }

  /** The digest of the right's value, made if there is none; undefined where somebody else's Secret has the name. */
  async function made(
    rcap: ResourceCapability,
    name: string,
    keep: Digests,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const value = newValue();
    try {
      await client.create(secretOf(rcap, name, value), { fieldManager: MANAGER, signal });
      return digestOf(value);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const { namespace } = rcap.metadata;
    const digest = ownDigestIn(await client.get<Secret>(Resources.Secret, { namespace, name }, signal), rcap, keep);
    const message = `there is a Secret ${name} that was not made for this right, or whose value was taken back: give valueSecret another name`;
    if (digest === undefined) recorder.record(rcap, 'Warning', CapabilityEvent.NameTaken, message);
    return digest;
  }
}

function isDue(rcap: ResourceCapability): boolean {
  const { make, read, stale } = planValue(rcap);
  return make !== undefined || read !== undefined || stale;
}

function newValue(): string {
  return randomBytes(16).toString('hex');
}
