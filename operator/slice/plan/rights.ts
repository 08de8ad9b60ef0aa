/** Which rights the slice is to have of its own: those that the default broker acquires, or keeps, or gives back. */
import type { ResourceCapability } from '../../../crds/types.ts';
import { isDeleting } from '../../kinds.ts';
import type { Account } from '../../site/pool.ts';
import { asking, byName, type Asking } from './asked.ts';
import { planCapabilities } from './capabilities.ts';
import type { Effect, SliceInput } from './input.ts';
import { planPlacement, type Placing } from './placement.ts';
import { withhold, type Withheld } from './withhold.ts';

export interface RightsPlan {
  placing: Placing;
  /** The default broker's writes; nobody else does them. */
  effects: Effect[];
  /** What is not asked of nodes though the slice wants it. */
  withheld: Withheld;
  /** What the slice holds, and wants, of its site's pool; undefined where there is none. */
  account: Account | undefined;
  /** When an older slice of the site will have been looked at, in ms since the epoch. */
  wakeAt: number | undefined;
}

/**
 * The slice controller and the default broker look at it alike: the one makes the pods of what the other holds, and none of
 * what it is giving back. `bound`: rights that others hold for the slice, and that give it a sliver now.
 */
export function planRights(input: SliceInput, now: number, bound: readonly ResourceCapability[]): RightsPlan {
  const askedOn = asking(input.slice);
  const placing = placingOf(input, askedOn, now, new Set(bound.map(({ spec }) => spec.nodeName)));
  const { release, asks } = planCapabilities(input.slice, placing, byName(input.slice, input.nodes));
  const { effects, withheld, account, wakeAt } = withhold(input, asks, now);
  return { placing, effects: [...release, ...effects], withheld, account, wakeAt };
}

function placingOf(input: SliceInput, askedOn: Asking, now: number, bound: ReadonlySet<string>): Placing {
  const { slice, brokering } = input;
  const asked = (node: Parameters<Asking>[0]) => askedOn(node).amounts;
  if (brokering && slice.spec.broker === undefined) return planPlacement(input, asked, now, bound);
  const present = input.capabilities.filter((capability) => !isDeleting(capability));
  // another broker's rights are to come in their place; without a default broker there is nobody who gives them back
  const kept = brokering ? [] : present;
  const { wanted, matching } = planPlacement({ ...input, capabilities: kept }, asked, now, bound);
  const release = brokering ? present.map((capability) => ({ capability, why: 'OtherBroker' as const })) : [];
  return { wanted, matching, keep: [], acquire: [], retry: [], release, taken: [], wakeAt: undefined };
}
