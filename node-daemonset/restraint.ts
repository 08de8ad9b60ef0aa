/**
 * What others hold slivers to. The operator writes it into the status of our SliceNode, where no tenant writes: an rcap's spec
 * is its holder's, and its status our own.
 */
import { parseQuantity } from '../crds/quantity.ts';
import type { NodeRestraint } from '../crds/types.ts';
import { LEAST_EGRESS } from './sliver.ts';

/** What a sliver is held to. */
export interface Restrained {
  suspended: boolean;
  /** bits/s; undefined where its egress is not restrained. */
  egressLimit: number | undefined;
}

const FREE: Restrained = { suspended: false, egressLimit: undefined };

/** By the names that a right is bound to: it stays so for the right's life. */
export function restrained(
  restraints: readonly NodeRestraint[],
  namespace: string,
  slice: string | undefined,
): Restrained {
  return restraints.filter((one) => one.namespace === namespace && one.slice === slice).reduce(strictest, FREE);
}

function strictest(a: Restrained, b: NodeRestraint): Restrained {
  const limits = [a.egressLimit, limitOf(b)].filter((one) => one !== undefined);
  return {
    suspended: a.suspended || b.suspended === true,
    egressLimit: limits.length === 0 ? undefined : Math.min(...limits),
  };
}

/** What makes no sense counts as the least: it was meant to be less than what was granted. */
function limitOf({ egressLimit }: NodeRestraint): number | undefined {
  if (egressLimit === undefined) return undefined;
  try {
    return parseQuantity(egressLimit);
  } catch {
    return LEAST_EGRESS;
  }
}
