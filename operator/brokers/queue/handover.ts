/** How an open window's rights get to the slice, and how they come back. Each step is made from what is there. */
import { isOffered } from '../../../crds/offer.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { isDeleting, refOf } from '../../kinds.ts';
import { grantedCondition, standing } from '../../slice/plan/grant.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import type { Effect } from './input.ts';
import { hasPassed } from './opening.ts';
import { askedSpan, isSplit, type Held, type Place } from './place.ts';
import { givenOf, partOf } from './rights.ts';
import { isSuspended } from './suspended.ts';

/** Splits the whole, shows the part's value in the slice's namespace, and puts the part away when it has passed. */
export function planHandOver(place: Place, slice: Slice, nodes: ReadonlyMap<string, NodeState>): Effect[] {
  return place.held.flatMap((held) => handOver(place.uid, slice, held, nodes.get(held.node)));
}

function handOver(uid: string, slice: Slice, held: Held, node: NodeState | undefined): Effect[] {
  const { whole, part, given } = held;
  const remove = (ref: ResourceCapability): Effect[] =>
    isDeleting(ref) ? [] : [{ uid, kind: 'remove', ref: refOf(ref), propagation: 'Background' }];
  if (part && hasPassed(part)) return remove(part);
  if (given || !whole) return [];
  if (!part) return [{ uid, kind: 'create', object: partOf(slice, whole) }];
  // once the whole's node has said that the part is out, the whole is not let go of before it says that it is back
  if (isDeleting(part) || !isOffered(part) || standing(part, node) !== 'granted' || !isSplit(whole)) return [];
  return [{ uid, kind: 'give', slice, part, object: givenOf(slice, part) }];
}

/** Why a node refuses one of the rights, and which; undefined where none does. Of a right that was given what its slice makes of it. */
export function refusalIn(
  place: Place,
  nodes: ReadonlyMap<string, NodeState>,
): { message: string; nodes: string[] } | undefined {
  for (const { node, whole, part, given } of place.held) {
    for (const right of [whole, part, given]) {
      if (!right || isDeleting(right) || standing(right, nodes.get(node)) !== 'denied' || hasPassed(right)) continue;
      const { reason, message } = grantedCondition(right)!;
      return { message: `${node}: ${reason}: ${message}`, nodes: [node] };
    }
  }
  return undefined;
}

/**
 * Takes everything back. The whole goes last: while it is there nobody else has its window. That is until its node says that
 * nothing of it is out any more, whoever holds it by then, or its window is over: whatever became of what was given, which its
 * namespace can keep from being deleted. One that is suspended stays until its window is over. `isBarred`: that was tried, and is
 * for another time.
 */
export function planRemoval({ uid, held }: Place, now: number, isBarred = false): Effect[] {
  return held.flatMap(({ whole, part, given }): Effect[] => {
    // nobody but us makes rights of that label in our namespace: without the whole, what is labelled elsewhere is not ours
    if (!whole && !part) return [];
    const out = [given, part].filter((one) => one !== undefined);
    const effects = out
      .filter((one) => !isDeleting(one) && !(isBarred && one === given))
      .map((one): Effect => {
        const propagation = one === given ? 'Foreground' : 'Background';
        return { uid, kind: 'remove', ref: refOf(one), propagation };
      });
    const isOver = whole && (askedSpan(whole)?.end ?? Infinity) <= now && (!part || isDeleting(part));
    const isWhole = whole && !part && !isSplit(whole) && !isSuspended(whole);
    if (!whole || isDeleting(whole) || !(isOver || isWhole)) return effects;
    return [...effects, { uid, kind: 'remove', ref: refOf(whole), propagation: 'Background' }];
  });
}
