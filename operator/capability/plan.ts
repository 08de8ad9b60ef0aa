/**
 * Sliver pods whose right is over: the net under the slice controller and the garbage collector. Pods are made only for
 * rights that a Slice of the same operator controls; a right that somebody else holds for a Slice gets none.
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

/** The pod to delete, and why. */
export function planCapability(input: CapabilityInput): { remove: ObjectRef; why: 'Released' | 'Expired' } | undefined {
  const { pod, capability, sliceIsThere } = input;
  const controller = controllerOf(pod);
  if (controller?.kind !== 'ResourceCapability' || isDeleting(pod)) return undefined;
  if (capability?.metadata.uid !== controller.uid) return { remove: refOf(pod), why: 'Released' };
  if (isDeleting(capability) || sliceIsThere) return undefined;
  return standing(capability, undefined) === 'expired' ? { remove: refOf(pod), why: 'Expired' } : undefined;
}
