/**
 * A site's pool: the shares that its slices may hold together on all nodes, at any instant. What is held stays; of what is asked
 * for, slices get in the order of their age what fits, and who is refused keeps no room from those after him.
 */
import type { Slice } from '../../crds/types.ts';
import { list, plural } from '../slice/plan/wording.ts';
import { beyond, Profile, type Piece } from './profile.ts';

/** A right that is to be acquired or renewed: what it has already, and what it is to have. */
export interface Want {
  has: readonly Piece[];
  asks: Piece;
}

/** One slice in its site's books. */
export interface Account {
  /** As <namespace>/<name>. */
  slice: string;
  /** Its creation and its uid: the order of slices. */
  age: string;
  /** What it holds, or will when what is decided is carried out; one piece a window. */
  held: readonly Piece[];
  /** What it was refused, and wants still. */
  wants: readonly Want[];
}

export interface Pool {
  /** For people: `site mit` or `namespace lab`. */
  site: string;
  /** Shares of the pool: so many for each of so many nodes. */
  perNode: number;
  nodes: number;
  /** The accounts of the site's other slices. */
  others: readonly Account[];
  /** Whether there is an older slice of the site that nobody has looked at yet. */
  isWaiting: boolean;
}

export interface PoolPlan {
  /** For each want, in their order, whether it fits. */
  fits: boolean[];
  /** The books, for those that do not. */
  books: string;
}

/** What the slice gets of what it wants. `own` has what it holds; its wants are given out in their order. */
export function planPool(pool: Pool, own: Account, now: number): PoolPlan {
  const profile = new Profile();
  const others = pool.others.map((one) => ({ ...one, held: one.held.filter(({ end }) => end > now) }));
  for (const { held } of [...others, own]) for (const piece of held) profile.add(piece);
  const size = pool.perNode * pool.nodes;
  const first: string[] = [];
  for (const older of others.filter(({ age }) => age < own.age).toSorted((a, b) => (a.age < b.age ? -1 : 1))) {
    const given = older.wants.filter((want) => give(profile, size, want));
    if (given.length > 0) first.push(older.slice);
  }
  const fits = own.wants.map((want) => give(profile, size, want));
  const refused = own.wants.filter((_, i) => !fits[i]);
  if (refused.length === 0) return { fits, books: '' };
  // what it is given now it has, for those who read why the rest was refused
  const given = own.wants.filter((_, i) => fits[i]).flatMap(({ has, asks }) => beyond(has, asks));
  return { fits, books: booksOf(pool, others, { ...own, held: [...own.held, ...given] }, refused, first) };
}

/** Older ones first; the uid decides among those of one second. */
export function ageOf({ metadata: { creationTimestamp, uid } }: Slice): string {
  return `${creationTimestamp ?? ''} ${uid ?? ''}`;
}

/** Puts the want into the profile where it fits. */
function give(profile: Profile, size: number, { has, asks }: Want): boolean {
  const more = beyond(has, asks);
  if (!more.every(({ start, end, shares }) => profile.most(start, end) + shares <= size)) return false;
  for (const piece of more) profile.add(piece);
  return true;
}

/** What is refused, what the pool is, who holds how much of it in the time that is asked for, and what is free. */
function booksOf(
  { site, perNode, nodes }: Pool,
  others: readonly Account[],
  own: Account,
  refused: readonly Want[],
  first: readonly string[],
): string {
  const { start, end } = refused[0]!.asks;
  const size = perNode * nodes;
  const held = [...others, own]
    .map(({ slice, held: pieces }) => ({ slice, shares: new Profile(pieces).most(start, end) }))
    .filter(({ shares }) => shares > 0)
    .toSorted((a, b) => b.shares - a.shares || (a.slice < b.slice ? -1 : 1));
  const free = size - new Profile([...others, own].flatMap(({ held: pieces }) => pieces)).most(start, end);
  const asks = [...new Set(refused.map(({ asks: { shares } }) => shares))].toSorted((a, b) => a - b);
  const holders = held.map(({ slice, shares }) => `${slice} holds ${shares}`);
  return [
    `asks ${asks.join(' or ')} shares on each`,
    `${site} has a pool of ${size} (${perNode} for each of ${plural(nodes, 'node')})`,
    ...(holders.length > 0 ? [list(holders)] : []),
    free >= 0 ? `${free} free` : `${-free} more than there are`,
    ...(first.length > 0 ? [`${list(first)} asked before`] : []),
  ].join(', ');
}
