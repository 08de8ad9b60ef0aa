/** Which rights the slice is to have of its own: those that the default broker acquires, or keeps, or gives back. */
import { amounts } from '../../../crds/rspec.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import { isDeleting } from '../../kinds.ts';
import { askedOf, planCapabilities } from './capabilities.ts';
import type { Effect, SliceInput } from './input.ts';
import { planPlacement, type Placing } from './placement.ts';

export interface RightsPlan {
  placing: Placing;
  /** The default broker's writes; nobody else does them. */
  effects: Effect[];
}

/**
 * The slice controller and the default broker look at it alike: the one makes the pods of what the other holds, and none of
 * what it is giving back. `bound`: rights that others hold for the slice, and that give it a sliver now.
 */
export function planRights(input: SliceInput, now: number, bound: readonly ResourceCapability[]): RightsPlan {
  const placing = placingOf(input, now, new Set(bound.map(({ spec }) => spec.nodeName)));
  return { placing, effects: planCapabilities(input.slice, placing) };
}

function placingOf(input: SliceInput, now: number, bound: ReadonlySet<string>): Placing {
  const { slice, brokering } = input;
  const asked = amounts(askedOf(slice));
  if (brokering && slice.spec.broker === undefined) return planPlacement(input, asked, now, bound);
  const present = input.capabilities.filter((capability) => !isDeleting(capability));
  // another broker's rights are to come in their place; without a default broker there is nobody who gives them back
  const kept = brokering ? [] : present;
  const { wanted, matching } = planPlacement({ ...input, capabilities: kept }, asked, now, bound);
  const release = brokering ? present.map((capability) => ({ capability, why: 'OtherBroker' as const })) : [];
  return { wanted, matching, keep: [], acquire: [], retry: [], release, taken: [], wakeAt: undefined };
}
