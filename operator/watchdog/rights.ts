/** Where slices have rights: of what a node may speak, and whose silence says something of a slice. */
import { CapabilityCondition, isTrue } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { BY_NODE, type Stores } from '../stores.ts';

/** The slices with a right on a node, as `namespace/slice`. */
export type Rights = (node: string) => ReadonlySet<string>;

export const NO_RIGHTS: Rights = () => new Set();

/** As they are now; each node's are looked up once. */
export function rightsOf({ capabilities }: Pick<Stores, 'capabilities'>, nodes: Iterable<string>): Rights {
  const known = new Map(
    [...nodes].map((node) => [node, new Set(capabilities.byIndex(BY_NODE, node).flatMap(slicesOf))]),
  );
  return (node) => known.get(node) ?? new Set();
}

/**
 * The slice for which the right was asked for, once it is granted. The node's own word is another where the right was edited
 * since: it stays bound, and no edit of a tenant's may hide what runs with it. Of one that never was edited it counts for nothing.
 */
function slicesOf({ metadata, spec, status }: ResourceCapability): string[] {
  if (!isTrue(status?.conditions, CapabilityCondition.Granted)) return [];
  const names = new Set([spec.sliceName, (metadata.generation ?? 0) > 1 ? status?.granted?.sliceName : undefined]);
  return [...names].filter((name) => name !== undefined).map((name) => `${metadata.namespace}/${name}`);
}
