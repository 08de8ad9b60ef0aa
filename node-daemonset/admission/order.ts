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
  const keyed = rcaps.map((rcap) => ({ rcap, depth: depthOf(rcap), created: createdAt(rcap) }));
  keyed.sort((a, b) => a.depth - b.depth || a.created - b.created || byUid(a.rcap, b.rcap));
  return keyed.map(({ rcap }) => rcap);
}

function createdAt({ metadata }: ResourceCapability): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

function byUid(a: ResourceCapability, b: ResourceCapability): number {
  const [one, other] = [a.metadata.uid ?? '', b.metadata.uid ?? ''];
  // not by a language's order, which takes ten times as long
  return one < other ? -1 : Number(one > other);
}
