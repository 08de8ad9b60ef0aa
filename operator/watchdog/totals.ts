/**
 * How much counters grew in the present period, over all nodes. Pure. It never says more than was counted within the period:
 * what fell between two readings of which one is missing, or of another period, is left out.
 */

/** What one node said last. */
interface Seen {
  time: number;
  values: ReadonlyMap<string, number>;
  /** There was more than it said. */
  cut: boolean;
}

export interface Totals {
  /** When the period began, in ms since the epoch. */
  period: number;
  /** By key. */
  sums: ReadonlyMap<string, number>;
  /** By node. */
  seen: ReadonlyMap<string, Seen>;
}

export const NO_TOTALS: Totals = { period: 0, sums: new Map(), seen: new Map() };

/** One node's counters, at the time of the reading. */
export interface Counted {
  node: string;
  values: ReadonlyMap<string, number>;
  cut: boolean;
}

/** Nodes that said nothing this time are not in `counted`: their next counters go on from their last. */
export function addTotals(before: Totals, counted: readonly Counted[], periodMs: number, now: number): Totals {
  const began = now - (now % periodMs);
  // a clock that was set back gives nobody a new period
  const period = Math.max(began, before.period);
  const sums = new Map(period === before.period ? before.sums : []);
  const seen = new Map(before.seen);
  for (const { node, values, cut } of counted) {
    const last = seen.get(node);
    seen.set(node, { time: now, values, cut });
    if (!last || last.time < period) continue;
    for (const [key, value] of values) {
      // one that was not there began at 0 since, unless it may only have been left out
      const was = last.values.get(key) ?? (last.cut ? value : 0);
      // one that fell began anew
      const grown = value >= was ? value - was : value;
      if (grown > 0) sums.set(key, (sums.get(key) ?? 0) + grown);
    }
  }
  return { period, sums, seen };
}

/** The keys have nothing behind them from now on. */
export function forgive(totals: Totals, keys: readonly string[]): Totals {
  if (keys.length === 0) return totals;
  const sums = new Map(totals.sums);
  for (const key of keys) sums.delete(key);
  return { ...totals, sums };
}
