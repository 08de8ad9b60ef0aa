/**
 * Rights that others hold for the slice: acquired, split or taken over by hand or by a broker, and bound to it. It uses them and
 * never writes to them.
 */
import type { ResourceCapability } from '../../../crds/types.ts';
import { isDeleting, refOf } from '../../kinds.ts';
import { isSuspended } from '../../restraint/applied.ts';
import { asking } from './asked.ts';
import { leftOf, standing } from './grant.ts';
import type { Effect, RemoveReason, SliceInput } from './input.ts';

/** Those that give the slice a sliver now: one a node, open, and of the network that the slice asks for and was judged by. */
export function usableBound(input: SliceInput, now: number): ResourceCapability[] {
  const { slice, nodes, bound } = input;
  const byNode = new Map<string, ResourceCapability>();
  const askedOn = asking(slice);
  for (const capability of bound.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const node = nodes.get(capability.spec.nodeName);
    const granted = capability.status?.granted;
    if (isDeleting(capability) || node?.uid === undefined || !granted) continue;
    if (standing(capability, node) !== 'granted' || granted.sliceName !== slice.metadata.name) continue;
    if ((granted.resources.network ?? 'Pod') !== askedOn(node).amounts.network || !leftOf(granted)) continue;
    const { start, end } = granted.window ?? {};
    if ((start && Date.parse(start) > now) || (end && Date.parse(end) <= now)) continue;
    if (!byNode.has(node.name)) byNode.set(node.name, capability);
  }
  return [...byNode.values()];
}

/** The end of the pods of bound rights, but for those that are in use and those whose node has yet to answer again. */
export function endBound(input: SliceInput, inUse: readonly ResourceCapability[], why: RemoveReason): Effect[] {
  return input.bound.flatMap((capability): Effect[] => {
    const pod = input.pods.get(capability.metadata.name);
    const node = capability.spec.nodeName;
    // with the right goes its pod
    if (!pod || isDeleting(pod) || isDeleting(capability) || inUse.includes(capability)) return [];
    const suspended = input.slice.spec.suspended || isSuspended(input.restraints);
    if (why === 'Unused' && !suspended && standing(capability, input.nodes.get(node)) === 'pending') return [];
    return [{ kind: 'remove', ref: refOf(pod), why, propagation: 'Background', node }];
  });
}
