/** In which order questions are answered: it depends on the rcaps alone, not on when their events came. */
import type { ResourceCapability } from '../../crds/types.ts';
import type { Entries } from './split.ts';

/** Oldest first, but none before what it is to be part of. */
export function inOrder(rcaps: readonly ResourceCapability[], entries: Entries = new Map()): ResourceCapability[] {
  return below(rcaps, (rcap) => wholeOf(rcap, entries));
}

/** What an rcap is to be part of, as <namespace>/<name>: where it held a right before its Node was registered anew, of the same. */
export function wholeOf({ metadata, spec }: ResourceCapability, entries: Entries): string | undefined {
  const former = entries.get(metadata.uid ?? '')?.former;
  if (!former) return spec.from && `${metadata.namespace}/${spec.from}`;
  const whole = entries.get(former.parent ?? '');
  return whole && `${whole.namespace}/${whole.name}`;
}

/** The same by what they were part of when they were granted, whatever they were split from: it may have passed to another. */
export function inOrderOfGrants(rcaps: readonly ResourceCapability[]): ResourceCapability[] {
  return below(rcaps, ({ status }) => status?.granted?.from);
}

/** `fromOf`: what an rcap is below, as <namespace>/<name>. */
function below(
  rcaps: readonly ResourceCapability[],
  fromOf: (rcap: ResourceCapability) => string | undefined,
): ResourceCapability[] {
  const byName = new Map(rcaps.map((rcap) => [`${rcap.metadata.namespace}/${rcap.metadata.name}`, rcap]));
  const depths = new Map<ResourceCapability, number>();
  const depthOf = (rcap: ResourceCapability): number => {
    const line = new Set<ResourceCapability>();
    let next: ResourceCapability | undefined = rcap;
    for (let from; next && (from = fromOf(next)) && !depths.has(next) && !line.has(next); next = byName.get(from)) {
      line.add(next);
    }
    const rest = [...line];
    // Of those that are below one another none is first: which of them was looked at first must make no difference.
    const circle = next && line.has(next) ? rest.splice(rest.indexOf(next)) : [];
    for (const one of circle) depths.set(one, 1);
    let depth = (next && depths.get(next)) ?? 0;
    for (const one of rest.reverse()) depths.set(one, ++depth);
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
