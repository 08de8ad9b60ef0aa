/**
 * What others hold slivers to: whoever makes Restraints, and the node's owner. Of Restraints the operator writes into the status
 * of our SliceNode, where no tenant writes: an rcap's spec is its holder's, and its status our own.
 */
import { parseQuantity } from '../crds/quantity.ts';
import type { NodeState } from './checkpoint.ts';
import { LEAST_EGRESS } from './sliver.ts';

/** Something that holds slices down, as long as it is there. */
export interface Hold {
  namespace: string;
  /** undefined: every slice of the namespace. */
  slice?: string | undefined;
  suspended?: boolean;
  /** The most that each sliver sends; a quantity, in bits/s. */
  egressLimit?: string;
  /** Who, for people; undefined where a Restraint does. */
  by?: string;
}

/** All that hold at this time: any one is enough. */
export function holdsOf({ restraints, orders }: Pick<NodeState, 'restraints' | 'orders'>): Hold[] {
  const own = orders.suspended.map(({ namespace, slice, since, reason }): Hold => {
    const by = `the node's owner${since && ` since ${since}`}${reason && `: ${reason}`}`;
    return { namespace, slice, suspended: true, by };
  });
  return [...restraints, ...own];
}

/** Who suspends a slice, each of them, for people; empty where nobody does. */
export function suspendersOf(holds: readonly Hold[], namespace: string, slice: string | undefined): string[] {
  const all = holds.filter((one) => one.suspended && isAbout(one, namespace, slice));
  return [...new Set(all.map(({ by }) => by ?? `a Restraint: see the status of Slice ${slice}`))];
}

/** What a sliver is held to. */
export interface Restrained {
  suspended: boolean;
  /** bits/s; undefined where its egress is not restrained. */
  egressLimit: number | undefined;
}

const FREE: Restrained = { suspended: false, egressLimit: undefined };

/** By the names that a right is bound to: it stays so for the right's life. */
export function restrained(holds: readonly Hold[], namespace: string, slice: string | undefined): Restrained {
  return holds.filter((one) => isAbout(one, namespace, slice)).reduce(strictest, FREE);
}

function isAbout(one: Hold, namespace: string, slice: string | undefined): boolean {
  return one.namespace === namespace && (one.slice === undefined || one.slice === slice);
}

function strictest(a: Restrained, b: Hold): Restrained {
  const limits = [a.egressLimit, limitOf(b)].filter((one) => one !== undefined);
  return {
    suspended: a.suspended || b.suspended === true,
    egressLimit: limits.length === 0 ? undefined : Math.min(...limits),
  };
}

/** What makes no sense counts as the least: it was meant to be less than what was granted. */
function limitOf({ egressLimit }: Hold): number | undefined {
  if (egressLimit === undefined) return undefined;
  try {
    return parseQuantity(egressLimit);
  } catch {
    return LEAST_EGRESS;
  }
}
