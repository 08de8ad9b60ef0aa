/** Pure: slivers that have ended. Descriptors that were passed on, and sockets that still retransmit, outlive them. */
import { SLIVER_ENDED, SLIVER_RAW, type SliverEntry } from '../bpf/layout.ts';

/** When a sliver ended or last tried to send, and how many packets it had tried by then; by number. */
export type Tombstones = ReadonlyMap<number, { since: number; drops: number }>;

/** So long nothing came from it: whatever was left has ended. */
export const TOMBSTONE_MS = 24 * 3600 * 1000;
/** More are not kept: those go first that have been silent for longest. */
export const MAX_TOMBSTONES = 4096;

/**
 * Which of the slivers that are gone stay as tombstones, and as what. Their age begins anew with a restart of the node
 * manager.
 */
export function planTombstones(
  { tombstones, endedDrops, now }: { tombstones: Tombstones; endedDrops: ReadonlyMap<number, number>; now: number },
  gone: readonly (readonly [number, SliverEntry])[],
): { tombstones: Tombstones; kept: [number, SliverEntry][] } {
  const aged = gone.map(([number, entry]) => {
    const drops = endedDrops.get(number) ?? 0;
    const last = tombstones.get(number);
    const since = last && last.drops === drops ? Math.min(last.since, now) : now;
    return { number, entry, since, drops };
  });
  const young = aged.filter(({ since }) => now - since < TOMBSTONE_MS);
  const kept = young.sort((a, b) => b.since - a.since || b.number - a.number).slice(0, MAX_TOMBSTONES);
  return {
    tombstones: new Map(kept.map(({ number, since, drops }) => [number, { since, drops }])),
    kept: kept.map(({ number, entry }) => [number, tombstoneOf(entry)]),
  };
}

export function tombstoneOf(entry: SliverEntry): SliverEntry {
  return { ...entry, flags: (entry.flags & ~SLIVER_RAW) | SLIVER_ENDED };
}
