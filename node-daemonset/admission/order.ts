/** In which order questions are answered: it depends on the rcaps alone, not on when their events came. */
import type { ResourceCapability } from '../../crds/types.ts';

/** Oldest first, but none before what it is to be split from. */
export function inOrder(rcaps: readonly ResourceCapability[]): ResourceCapability[] {
  const byName = new Map(rcaps.map((rcap) => [`${rcap.metadata.namespace}/${rcap.metadata.name}`, rcap]));
  const depths = new Map<ResourceCapability, number>();
  const depthOf = (rcap: ResourceCapability): number => {
    const line: ResourceCapability[] = [];
    let next: ResourceCapability | undefined = rcap;
    while (next?.spec.from !== undefined && !depths.has(next) && !line.includes(next)) {
      line.push(next);
      next = byName.get(`${next.metadata.namespace}/${next.spec.from}`);
    }
    let depth = (next && depths.get(next)) ?? 0;
    for (const one of line.reverse()) depths.set(one, ++depth);
    return depths.get(rcap) ?? 0;
  };
  return [...rcaps].sort((a, b) => depthOf(a) - depthOf(b) || byAge(a, b));
}

function byAge(a: ResourceCapability, b: ResourceCapability): number {
  const created = Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '');
  return created || (a.metadata.uid ?? '').localeCompare(b.metadata.uid ?? '');
}
