/**
 * What a node manager has to know of Restraints. It goes into the status of the SliceNode: node managers watch theirs anyhow,
 * and no tenant writes there. Without it a tenant's own pod, made by hand for a right of the slice, would run on unrestrained.
 */
import { decimalQuantity, quantityOrZero } from '../../crds/quantity.ts';
import type { NodeRestraint, ResourceCapability, Restraint } from '../../crds/types.ts';
import { isSuspended, restraintsOn } from './applied.ts';

/** The schema's bound: far more slices than a node has pods. */
const MOST = 1_000;

/** One entry for each slice with a right on the node that is restrained: those that are suspended first, then by name. */
export function planNodeRestraints(
  restraints: readonly Restraint[],
  capabilities: readonly ResourceCapability[],
): NodeRestraint[] {
  if (restraints.length === 0) return [];
  const entries = new Map<string, NodeRestraint>();
  for (const { metadata, spec, status } of capabilities) {
    const { namespace = '' } = metadata;
    // what a node granted is bound for good, what it has not answered yet may be
    for (const slice of new Set([status?.granted?.sliceName, spec.sliceName])) {
      if (slice === undefined || entries.has(`${namespace}/${slice}`)) continue;
      const entry = merged(restraintsOn(restraints, namespace, slice), namespace, slice);
      if (entry) entries.set(`${namespace}/${slice}`, entry);
    }
  }
  const order = (one: NodeRestraint): string => `${one.suspended ? 0 : 1} ${one.namespace}/${one.slice}`;
  return [...entries.values()].toSorted((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, MOST);
}

/** A limit that makes no sense was meant to be one. */
function merged(restraints: readonly Restraint[], namespace: string, slice: string): NodeRestraint | undefined {
  if (restraints.length === 0) return undefined;
  const limits = restraints.flatMap(({ spec }) =>
    spec.egressLimit === undefined ? [] : quantityOrZero(spec.egressLimit),
  );
  return {
    namespace,
    slice,
    ...(isSuspended(restraints) && { suspended: true }),
    ...(limits.length > 0 && { egressLimit: decimalQuantity(Math.floor(Math.min(...limits))) }),
  };
}
