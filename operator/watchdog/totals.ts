/**
 * How much counters grew in the present period, over all nodes. Pure. It never says more than was counted within the period:
 * what fell between two readings of which one is missing, or of another period, is left out.
 */
import { compare, type Seen } from './counters.ts';
import { MOST, type WatchedRow } from './rows.ts';

export interface Totals {
  /** Which period it is: the first that began in 1970 is number 0. */
  period: number;
  /** By key. */
  sums: ReadonlyMap<string, number>;
  /** By node. */
  seen: ReadonlyMap<string, Seen>;
}

export const NO_TOTALS: Totals = {
  period: 0,
  sums: new Map(),
  seen: new Map(),
};

/** What one node says. */
export interface Counted {
  node: string;
  rows: readonly WatchedRow[];
  /** There is more than it says. */
  cut: boolean;
}

export interface Counting {
  periodMs: number;
  /** Under which key a slice that a node speaks of is added up; undefined where the node is not believed. */
  keyOf(node: string, slice: string): string | undefined;
}

/** Nodes that said nothing this time are not in `counted`: their next counters go on from their last. */
export function addTotals(before: Totals, counted: readonly Counted[], how: Counting, now: number): Totals {
  const period = periodAt(before, how.periodMs, now);
  // a clock that was ahead and was put right takes nobody's sums away, and ends its next period as any other
  const sums = new Map(period > before.period ? [] : before.sums);
  const seen = new Map(before.seen);
  for (const { node, rows, cut } of counted) {
    const last = seen.get(node);
    const next = compare(last, rows, cut, period);
    seen.set(node, next.seen);
    if (last?.period !== period) continue;
    for (const [slice, grown] of next.grown) {
      const key = how.keyOf(node, slice);
      if (key !== undefined) sums.set(key, Math.min(MOST, (sums.get(key) ?? 0) + grown));
    }
  }
  return { period, sums, seen };
}

/** Clocks are set back so far without anybody's fault: this gives nobody a new period. */
const SET_BACK_MS = 60_000;

function periodAt({ period: before }: Totals, periodMs: number, now: number): number {
  const period = Math.floor(now / periodMs);
  const back = Math.min(SET_BACK_MS, periodMs / 10);
  return period === before - 1 && now + back >= before * periodMs ? before : period;
}

/** The keys have nothing behind them from now on. */
export function forgive(totals: Totals, keys: readonly string[]): Totals {
  if (keys.length === 0) return totals;
  const sums = new Map(totals.sums);
  for (const key of keys) sums.delete(key);
  return { ...totals, sums };
}
