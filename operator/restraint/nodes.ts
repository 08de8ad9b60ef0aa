/**
 * What a node manager has to know of Restraints. It goes into the status of the SliceNode: node managers watch theirs anyhow,
 * and no tenant writes there. Without it a tenant's own pod, made by hand for a right of the slice, would run on unrestrained.
 */
import { decimalQuantity, quantityOrZero } from '../../crds/quantity.ts';
import type { NodeRestraint, ResourceCapability, Restraint } from '../../crds/types.ts';
import { holds, isSuspended } from './applied.ts';

/** The schema's bound: far more slices than a node has pods. */
const MOST = 1_000;

/**
 * One entry for each namespace and each slice that is restrained and has a right on the node. What is about a whole namespace
 * is one entry, however many slices its author invents; what was granted comes before what is only asked for.
 */
export function planNodeRestraints(
  restraints: readonly Restraint[],
  capabilities: readonly ResourceCapability[],
): NodeRestraint[] {
  if (restraints.length === 0) return [];
  const ofAll = Map.groupBy(
    restraints.filter(({ spec }) => spec.slice === undefined),
    ({ spec }) => spec.namespace,
  );
  const ofOne = Map.groupBy(
    restraints.filter(({ spec }) => spec.slice !== undefined),
    ({ spec }) => `${spec.namespace}/${spec.slice}`,
  );
  const entries = new Map<string, { entry: NodeRestraint; isGranted: boolean }>();
  const put = (about: readonly Restraint[], namespace: string, slice: string | undefined, isGranted: boolean): void => {
    const key = `${namespace}/${slice ?? ''}`;
    const known = entries.get(key);
    if (known) known.isGranted ||= isGranted;
    const entry = known ? undefined : merged(about, namespace, slice);
    if (entry) entries.set(key, { entry, isGranted });
  };
  for (const { metadata, spec, status } of capabilities) {
    const { namespace = '' } = metadata;
    const bound = status?.granted?.sliceName;
    put(ofAll.get(namespace) ?? [], namespace, undefined, status?.granted !== undefined);
    // what a node granted is bound for good, what it has not answered yet may be
    for (const slice of new Set([bound, spec.sliceName])) {
      if (slice !== undefined) put(ofOne.get(`${namespace}/${slice}`) ?? [], namespace, slice, slice === bound);
    }
  }
  const order = ({ entry, isGranted }: { entry: NodeRestraint; isGranted: boolean }): string =>
    `${entry.slice === undefined ? 0 : 1} ${entry.suspended ? 0 : 1} ${isGranted ? 0 : 1} ${entry.namespace}/${entry.slice ?? ''}`;
  return [...entries.values()]
    .toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
    .slice(0, MOST)
    .map(({ entry }) => entry);
}

/** A limit that makes no sense was meant to be one. */
function merged(about: readonly Restraint[], namespace: string, slice: string | undefined): NodeRestraint | undefined {
  const restraints = about.filter((one) => holds(one));
  if (restraints.length === 0) return undefined;
  const limits = restraints.flatMap(({ spec }) =>
    spec.egressLimit === undefined ? [] : quantityOrZero(spec.egressLimit),
  );
  return {
    namespace,
    ...(slice !== undefined && { slice }),
    ...(isSuspended(restraints) && { suspended: true }),
    ...(limits.length > 0 && { egressLimit: decimalQuantity(Math.floor(Math.min(...limits))) }),
  };
}
