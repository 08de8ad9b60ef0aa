/** What the slice asks for and is not to be asked of nodes: what no node could grant, and what its site's pool does not hold. */
import { hasOf, heldBy } from '../../site/held.ts';
import { ageOf, planPool, type Account, type Want } from '../../site/pool.ts';
import { beyond, merged, pieceOf } from '../../site/profile.ts';
import { keyOf } from '../../../kube/resources.ts';
import type { Asks } from './capabilities.ts';
import type { Effect, SliceInput } from './input.ts';

/** For the status. */
export interface Withheld {
  /** Nodes for which the overrides do not go together, and why. */
  conflicts: { node: string; message: string }[];
  /** Nodes that are not asked since the site's pool is too small, and its books. */
  pool: { nodes: string[]; books: string } | undefined;
}

export const NOTHING_WITHHELD: Withheld = { conflicts: [], pool: undefined };

export interface Withholding {
  effects: Effect[];
  withheld: Withheld;
  /** What the slice holds and wants of the pool; undefined where there is none. */
  account: Account | undefined;
  /** When to look again. */
  wakeAt: number | undefined;
}

/** An older slice is looked at in a moment. */
const LOOK_AGAIN_MS = 250;

/** What is not asked for leaves what there is as it is: the old right holds. */
export function withhold(input: SliceInput, asks: readonly Asks[], now: number): Withholding {
  const conflicts = asks.flatMap(({ node, asked: { problem } }) => (problem ? [{ node, message: problem }] : []));
  const possible = asks.filter(({ asked }) => asked.problem === undefined);
  const { pool } = input;
  if (!pool) {
    const withheld = { conflicts, pool: undefined };
    return { effects: possible.map(({ effect }) => effect), withheld, account: undefined, wakeAt: undefined };
  }
  // the same nodes are refused whatever order they came in
  const ordered = possible.toSorted((a, b) => (a.node < b.node ? -1 : 1));
  const { window } = input.slice.spec;
  const wants = ordered.map(({ asked, capability }): Want => {
    return { has: capability ? hasOf(capability) : [], asks: pieceOf(asked.amounts.shares, window) };
  });
  const own = accountOf(input);
  const planned = planPool(pool, { ...own, wants }, now);
  const more = wants.map(({ has, asks: piece }) => beyond(has, piece));
  const fits = planned.fits.map((one, i) => more[i]!.length === 0 || (one && !pool.isWaiting));
  const nodes = ordered.filter((_, i) => !fits[i]).map(({ node }) => node);
  const account = {
    ...own,
    held: merged([...own.held, ...more.filter((_, i) => fits[i]).flat()]),
    wants: wants.filter((_, i) => !fits[i]),
  };
  return {
    effects: ordered.filter((_, i) => fits[i]).map(({ effect }) => effect),
    withheld: { conflicts, pool: planned.books === '' || pool.isWaiting ? undefined : { nodes, books: planned.books } },
    account,
    wakeAt: pool.isWaiting && nodes.length > 0 ? now + LOOK_AGAIN_MS : undefined,
  };
}

/** What the slice holds now, where it wants nothing more. */
export function accountOf({ slice, capabilities }: SliceInput): Account {
  return { slice: keyOf(slice), age: ageOf(slice), held: merged(capabilities.flatMap(heldBy)), wants: [] };
}
