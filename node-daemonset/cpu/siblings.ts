/**
 * Pure: weights of Guaranteed pods on v2, which lie beside the parent of all Burstable ones. The newer conversion of
 * requests into weights is not proportional (200 and 800 thousandths become 29 and 84), so that a Guaranteed pod without
 * a limit of its own would take from every sliver. The parent's weight is the kubelet's, which writes it every minute:
 * the pods follow it.
 */
import type { ObservedPod } from './plan.ts';
import { type Conversion, type Range, requestsOfWeight } from './requests.ts';

/**
 * At most this many times what the kubelet gave a pod, or this part of it: whatever the kubelet makes of the parent while
 * nobody follows, nobody starves.
 */
const FACTOR = 4;

/** The parent of all Burstable pods: its weight, and what its pods request together in 1/1000 of a core. */
export interface BurstableParent {
  weight: number;
  request: number;
}

/** The weight that is to the parent's as the pod's request is to its pods'; `own`: what the kubelet gave the pod. */
export function weightBeside(
  parent: BurstableParent,
  pod: Pick<ObservedPod, 'quota'>,
  own: number,
  conversion: Conversion,
): number {
  const range = requestsOfWeight(parent.weight, conversion);
  // The kubelet may not have followed the newest pods yet: the parent's weight stands for what it knew.
  const together = Math.max(within(range, parent.request), 1);
  const due = Math.round((requestOf(pod, own, conversion) * parent.weight) / together);
  return Math.max(Math.min(Math.max(due, Math.ceil(own / FACTOR)), own * FACTOR), 1);
}

/** A Guaranteed pod's limit is its request, exactly; its weight says it roughly. */
function requestOf({ quota }: Pick<ObservedPod, 'quota'>, own: number, conversion: Conversion): number {
  const range = requestsOfWeight(own, conversion);
  return quota.max === undefined ? (range.low + range.high) / 2 : (quota.max * 1000) / quota.period;
}

function within({ low, high }: Range, value: number): number {
  return Math.min(Math.max(value, low), high);
}
