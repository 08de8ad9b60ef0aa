/** When windows can be, among those that others have. Pure arithmetic over instants in ms. */
import type { Span } from './place.ts';

/** What a place has, or is to have: on these nodes, at these times. */
export interface Taken {
  nodes: ReadonlySet<string>;
  spans: readonly Span[];
}

/** Windows are told in whole seconds. */
export const SECOND = 1000;

/**
 * The first instant from `from` on at which a window of this length fits: after all that those `ahead` have on any of the
 * nodes, for the queue has an order, and beside what all `others` have there.
 */
export function firstStart(
  nodes: readonly string[],
  length: number,
  from: number,
  ahead: readonly Taken[],
  others: readonly Taken[],
): number {
  const shared = (taken: readonly Taken[]): Span[] =>
    taken.filter((one) => nodes.some((node) => one.nodes.has(node))).flatMap(({ spans }) => spans);
  let start = Math.max(from, ...shared(ahead).map(({ end }) => end));
  const inTheWay = shared(others).toSorted((a, b) => a.start - b.start);
  for (const { start: begins, end } of inTheWay) {
    if (begins < start + length && start < end) start = end;
  }
  return start;
}

/** So many of the nodes, those first that are free first; equal ones by name. */
export function freeFirst(nodes: readonly string[], count: number, startOn: (node: string) => number): string[] {
  const starts = nodes.map((node) => ({ node, start: startOn(node) }));
  starts.sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  return starts.slice(0, count).map(({ node }) => node);
}

/** As `kubectl` writes instants. */
export function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function wholeSecond(ms: number): number {
  return Math.floor(ms / SECOND) * SECOND;
}
