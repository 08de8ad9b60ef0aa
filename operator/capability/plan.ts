/**
 * Sliver pods whose right is over: the net under the slice controller and the garbage collector. Pods are made only for
 * rights that a Slice controls or that are bound to one, by its own controller.
 */
import type { ResourceCapability } from '../../crds/types.ts';
import { controllerOf, isDeleting, refOf, type ObjectRef, type Pod } from '../kinds.ts';
import { standing } from '../slice/plan/grant.ts';

export interface CapabilityInput {
  pod: Pod;
  /** The rcap of the pod's name. */
  capability: ResourceCapability | undefined;
  /** Whether the rcap's Slice is there: it then looks after the pod itself. */
  sliceIsThere: boolean;
}

/** The finalizer of Kubernetes' garbage collector on what is deleted after its dependents. */
const FOREGROUND = 'foregroundDeletion';
/** So long the garbage collector has to let go of a right that has no pod any more. */
const COLLECTOR_MS = 15_000;

/**
 * What frees a released right that the garbage collector forgot. It does so for good when a pod was replaced by another
 * of its name while the API server could not be watched: the collector never hears of the first one's end, and waits for
 * it (graph_builder.go knows pods by uid, its informer by name). `after`: ms until it is time to look; undefined where
 * there is nothing to do.
 */
export function planUnblock(
  capability: ResourceCapability | undefined,
  pods: readonly Pod[],
  now: number,
): { finalizers: string[] } | { after: number } | undefined {
  const { deletionTimestamp, finalizers = [] } = capability?.metadata ?? {};
  if (!capability || !deletionTimestamp || !finalizers.includes(FOREGROUND) || pods.length > 0) return undefined;
  if (controllerOf(capability)?.kind !== 'Slice') return undefined;
  const after = Date.parse(deletionTimestamp) + COLLECTOR_MS - now;
  return after > 0 ? { after } : { finalizers: finalizers.filter((one) => one !== FOREGROUND) };
}

/** So long the kubelet has to take away the object of a pod whose containers have ended. */
const KUBELET_MS = 1000;

/**
 * The object of a pod that is being deleted and whose containers have ended, by its kubelet's word: kubelets before 1.27
 * look at such pods every 10 s only (status_manager.go), and a right is held until its pod is gone. Should a container
 * start after all, the node's gate lets no other pod of the right in while it runs.
 */
export function planEnd(pod: Pod, now: number): { remove: ObjectRef } | { after: number } | undefined {
  const states = (pod.status?.containerStatuses ?? []).map(({ state }) => state?.terminated);
  if (!isDeleting(pod) || controllerOf(pod)?.kind !== 'ResourceCapability') return undefined;
  if (states.length === 0 || states.includes(undefined)) return undefined;
  const ended = Math.max(...states.map((terminated) => Date.parse(terminated?.finishedAt ?? '') || 0));
  // by another clock than ours, which may be ahead
  const after = Math.min(ended + KUBELET_MS - now, KUBELET_MS);
  return after > 0 ? { after } : { remove: refOf(pod) };
}

/** The pod to delete, and why. */
export function planCapability(input: CapabilityInput): { remove: ObjectRef; why: 'Released' | 'Expired' } | undefined {
  const { pod, capability, sliceIsThere } = input;
  const controller = controllerOf(pod);
  if (controller?.kind !== 'ResourceCapability' || isDeleting(pod)) return undefined;
  if (capability?.metadata.uid !== controller.uid) return { remove: refOf(pod), why: 'Released' };
  if (isDeleting(capability) || sliceIsThere) return undefined;
  return standing(capability, undefined) === 'expired' ? { remove: refOf(pod), why: 'Expired' } : undefined;
}
