/**
 * What others hold slivers to: whoever makes Restraints, the node's owner, and whose right it is that theirs are part of. Of
 * Restraints the operator writes into the status of our SliceNode, where no tenant writes.
 */
import { parseQuantity } from '../crds/quantity.ts';
import { NODE_OWNER, sayRestraint } from '../crds/text.ts';
import type { AppliedSuspension } from '../crds/types.ts';
import type { NodeState } from './checkpoint.ts';
import { LEAST_EGRESS } from './sliver.ts';
import { inWords, suspensionsIn } from './suspension.ts';

/** Something that holds slices down, as long as it is there: by names, or by rights. */
export type Hold = NamedHold | RightsHold;

interface NamedHold {
  namespace: string;
  /** undefined: every slice of the namespace. */
  slice?: string | undefined;
  suspended?: boolean;
  /** The most that each sliver sends; a quantity, in bits/s. */
  egressLimit?: string;
  /** Who, for people; undefined where a Restraint does. */
  by?: string;
}

/** All that holders of rights suspend: one, so that many rights cost no more than few. */
interface RightsHold {
  suspended: true;
  /** By whom, by the uid of each right that is suspended. */
  rights: ReadonlyMap<string, readonly AppliedSuspension[]>;
}

/** All that hold at this time: any one is enough. */
export function holdsOf(state: Pick<NodeState, 'restraints' | 'orders' | 'ledger' | 'suspended'>): Hold[] {
  const { restraints, orders, ledger, suspended } = state;
  const own = orders.suspended.map(({ namespace, slice, since, reason }): Hold => {
    const by = `${NODE_OWNER}${since && ` since ${since}`}${reason && `: ${reason}`}`;
    return { namespace, slice, suspended: true, by };
  });
  const rights = suspensionsIn(ledger, suspended);
  return [...restraints, ...own, ...(rights.size > 0 ? [{ suspended: true, rights } as const] : [])];
}

/** What is held: a right, and the slice that it is bound to. It stays so for the right's life. */
export interface Held {
  namespace: string;
  slice: string | undefined;
  /** Of the rcap. */
  uid?: string;
}

/** Who suspends it, each of them, for people; empty where nobody does. */
export function suspendersOf(holds: readonly Hold[], held: Held): string[] {
  const all = holds.filter((one) => one.suspended && isAbout(one, held));
  const named = all.flatMap((one) => ('rights' in one ? [] : (one.by ?? sayRestraint(held.slice))));
  const holders = suspensionsBy(holds).get(held.uid ?? '') ?? [];
  return [...new Set([...named, ...holders.map(inWords)])];
}

const NOBODY: ReadonlyMap<string, readonly AppliedSuspension[]> = new Map();

/** The rights whose holders suspend what runs by a right, outermost first, by the right's uid. */
export function suspensionsBy(holds: readonly Hold[]): ReadonlyMap<string, readonly AppliedSuspension[]> {
  return holds.find((one) => 'rights' in one)?.rights ?? NOBODY;
}

/** What a sliver is held to. */
export interface Restrained {
  suspended: boolean;
  /** bits/s; undefined where its egress is not restrained. */
  egressLimit: number | undefined;
}

const FREE: Restrained = { suspended: false, egressLimit: undefined };

export function restrained(holds: readonly Hold[], held: Held): Restrained {
  return holds.filter((one) => isAbout(one, held)).reduce(strictest, FREE);
}

function isAbout(one: Hold, { namespace, slice, uid }: Held): boolean {
  if ('rights' in one) return uid !== undefined && one.rights.has(uid);
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
function limitOf(hold: Hold): number | undefined {
  if ('rights' in hold || hold.egressLimit === undefined) return undefined;
  try {
    return parseQuantity(hold.egressLimit);
  } catch {
    return LEAST_EGRESS;
  }
}
