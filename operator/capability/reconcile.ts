/** Deletes sliver pods that outlived their right, and frees what outlives its own deletion. */
import type { ResourceCapability } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Log } from '../../kube/log.ts';
import { Resources } from '../../kube/resources.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { controllerOf, isControlledBy, type Pod } from '../kinds.ts';
import { BY_CONTROLLER, controllerKey, type Stores } from '../stores.ts';
import type { NodeState } from '../slice/plan/input.ts';
import { planCapability, planEnd, planUnblock } from './plan.ts';
import { whyUnanswered } from './unanswered.ts';
import { capabilityValues } from './values.ts';

export interface CapabilityDeps {
  client: ApiClient;
  stores: Stores;
  nodes: () => ReadonlyMap<string, NodeState>;
  recorder: Pick<EventRecorder, 'record'>;
  log: Log;
}

export function capabilityReconciler({ client, stores, nodes, recorder, log }: CapabilityDeps) {
  const values = capabilityValues({ client, recorder, log });

  /** Whether the Slice that controls the rcap is there: by uid. */
  function sliceIsThere(capability: ResourceCapability | undefined): boolean {
    const owner = capability && controllerOf(capability);
    const slice = owner && stores.slices.get(`${capability.metadata.namespace}/${owner.name}`);
    return slice !== undefined && isControlledBy(capability!, slice);
  }

  /** `key` is that of the rcap, which is that of its pod. */
  return async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const capability = stores.capabilities.get(key);
    // a Slice says in its status what it waits for
    const unanswered = capability && !sliceIsThere(capability) ? whyUnanswered(capability, nodes()) : undefined;
    if (unanswered) recorder.record(capability!, 'Warning', unanswered.reason, unanswered.message);
    await values(capability, signal);
    const owner = { kind: 'ResourceCapability', uid: capability?.metadata.uid };
    const pods: Pod[] = capability
      ? stores.pods.byIndex(BY_CONTROLLER, controllerKey(owner, capability.metadata.namespace))
      : [stores.pods.get(key)].filter((pod) => pod !== undefined);
    for (const pod of pods) {
      if (!planCapability({ pod, capability, sliceIsThere: sliceIsThere(capability) })) continue;
      // two stores are never of one instant: before anything is deleted the API server itself is asked, for the pod last,
      // as the garbage collector deletes it before its right is gone
      const { namespace, name, uid } = pod.metadata;
      const right = await client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name }, signal);
      const now = await client.get<Pod>(Resources.Pod, { namespace, name }, signal);
      if (!now || now.metadata.uid !== uid) continue;
      const plan = planCapability({ pod: now, capability: right, sliceIsThere: sliceIsThere(right) });
      if (!plan) continue;
      await client.remove(Resources.Pod, plan.remove, { propagation: 'Background', signal });
      log.info({ pod: key, why: plan.why }, 'a pod without a right was deleted');
    }
    const waits = await Promise.all(pods.map((pod) => end(pod, signal)));
    const unblock = planUnblock(capability, pods, Date.now());
    if (unblock && 'after' in unblock) waits.push(unblock.after);
    else if (unblock) await free(key, signal);
    const wait = Math.min(...waits.map((one) => one ?? Infinity));
    return Number.isFinite(wait) ? After(wait) : Done;
  };

  /** Takes away the object of a pod that has ended; else ms until that may be time. */
  async function end(pod: Pod, signal: AbortSignal): Promise<number | undefined> {
    const plan = planEnd(pod, Date.now());
    if (!plan || 'after' in plan) return plan?.after;
    await client.remove(Resources.Pod, plan.remove, { gracePeriodSeconds: 0, signal });
    return undefined;
  }

  /** Asks the API server for both, as what is let go of too early runs without a right. */
  async function free(key: string, signal: AbortSignal): Promise<void> {
    const [namespace, name] = key.split('/') as [string, string];
    const [capability, pod] = await Promise.all([
      client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name }, signal),
      client.get<Pod>(Resources.Pod, { namespace, name }, signal),
    ]);
    const pods = pod && controllerOf(pod)?.uid === capability?.metadata.uid ? [pod] : [];
    const unblock = planUnblock(capability, pods, Date.now());
    if (!capability || !unblock || 'after' in unblock) return;
    const { uid, resourceVersion } = capability.metadata;
    const patch = { metadata: { uid, resourceVersion, finalizers: unblock.finalizers } };
    await client.patch(Resources.ResourceCapability, { namespace, name }, patch, { signal });
    log.warn({ rcap: key }, 'a released right that the garbage collector kept was freed');
  }
}
