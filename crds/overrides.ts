/** What a Slice says differently for some nodes: sliver over group of nodes over slice, as PlanetLab's slice attributes went. */
import type { Override, Rspec } from './types.ts';

/** As much of a node as overrides go by. */
export interface NodeNames {
  name: string;
  labels: Readonly<Record<string, string>>;
}

/** Those that are about the node, the weakest first: of groups in their order, then of the node itself in theirs. */
export function overridesOn(overrides: readonly Override[] | undefined, node: NodeNames): Override[] {
  const groups = (overrides ?? []).filter((one) => isOfGroup(one, node));
  return [...groups, ...(overrides ?? []).filter((one) => one.node === node.name)];
}

/**
 * `over` on top of `base`, field by field. A list is taken whole, as PlanetLab took an attribute of a sliver in place of all the
 * slice's of that name, and as Kubernetes' merge patches do: so an empty list takes all of them away.
 */
export function override(base: Rspec | undefined, over: Rspec): Rspec {
  return {
    ...base,
    ...over,
    ...((base?.cpu ?? over.cpu) && { cpu: { ...base?.cpu, ...over.cpu } }),
    ...((base?.egress ?? over.egress) && { egress: { ...base?.egress, ...over.egress } }),
  };
}

function isOfGroup({ nodeSelector }: Override, { labels }: NodeNames): boolean {
  if (nodeSelector === undefined) return false;
  const wanted = Object.entries(nodeSelector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
