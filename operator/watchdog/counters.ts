/**
 * How much one node's counters grew between two of its answers. Pure. It never says more than was counted: of two ways to
 * read what changed it takes the one with less growth.
 */
import type { WatchedRow } from './rows.ts';

/** What is remembered of the rows of one id. */
interface Counter {
  slice: string;
  isOnce: boolean;
  /** Rows that had the id; their values are added up, and which of them is which is not known. */
  rows: number;
  /** undefined: it was there, and its value was not known yet. */
  value: number | undefined;
  /** Whether the last answer had it. One that ended may only have been missing: it is remembered for a while. */
  isLive: boolean;
  /** The period in which it was heard last. */
  period: number;
}

/** What one node said last. */
export interface Seen {
  /** Which period it was in: the first that began in 1970 is number 0. */
  period: number;
  /** By id. */
  counters: ReadonlyMap<string, Counter>;
  /** There was more than it said. */
  cut: boolean;
}

/** Rows of one node that are looked at; of what comes behind them nothing is known. */
const MOST_ROWS = 10_000;
/** Of those that ended. */
const MOST_ENDED = 2_000;

/** `grown`: by slice; nothing where `last` is of another period. */
export function compare(
  last: Seen | undefined,
  rows: readonly WatchedRow[],
  isCut: boolean,
  period: number,
): { seen: Seen; grown: Map<string, number> } {
  const cut = isCut || rows.length > MOST_ROWS;
  const told = gather(rows.slice(0, MOST_ROWS), period);
  // what began in another period says nothing of this one's growth
  const before = last?.period === period ? last : undefined;
  const grown = new Map<string, number>();
  const counters = new Map<string, Counter>();
  const vanished = vanishedOf(before, told);
  for (const [id, one] of told) {
    const was = before?.counters.get(id);
    const by = before ? growthOf(one, was, { cut, wasCut: before.cut, vanished }) : 0;
    if (by > 0) grown.set(one.slice, (grown.get(one.slice) ?? 0) + by);
    counters.set(id, { ...one, value: kept(one, was, cut) });
  }
  const ended = [...(last?.counters ?? [])].filter(([id, was]) => !told.has(id) && Math.abs(period - was.period) <= 1);
  for (const [id, was] of ended.slice(-MOST_ENDED)) {
    counters.set(id, { ...was, value: before && was.value, isLive: false });
  }
  return { seen: { period, counters, cut }, grown };
}

function gather(rows: readonly WatchedRow[], period: number): Map<string, Counter> {
  const told = new Map<string, Counter>();
  for (const { id, slice, isOnce, value } of rows) {
    const known = told.get(id);
    const isKnown = value !== undefined && (!known || known.value !== undefined);
    const sum = isKnown ? (known?.value ?? 0) + value : undefined;
    told.set(id, {
      slice,
      isOnce,
      rows: (known?.rows ?? 0) + 1,
      value: sum,
      isLive: true,
      period,
    });
  }
  return told;
}

/** By slice, what rows had counted that are not there any more: one with other words may go on from there. */
function vanishedOf(last: Seen | undefined, told: ReadonlyMap<string, Counter>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [id, { slice, value = Infinity, isOnce, isLive }] of last?.counters ?? []) {
    if (isLive && !isOnce && !told.has(id)) sums.set(slice, (sums.get(slice) ?? 0) + value);
  }
  return sums;
}

interface Between {
  /** This answer, or the last one, was a part only. */
  cut: boolean;
  wasCut: boolean;
  vanished: Map<string, number>;
}

function growthOf(one: Counter, was: Counter | undefined, between: Between): number {
  const { value = 0, isOnce } = one;
  if (one.value === undefined || (was && was.value === undefined)) return 0;
  if (!isOnce) return growthByWords(one, was, between);
  // one that was not there began at 0 since, unless it may only have been left out
  if (!was) return between.wasCut ? 0 : value;
  // one that fell did not begin anew: a part of what it is the sum of is missing
  return Math.max(0, value - was.value!);
}

/** Words may change, and a row with others may be the same counter, or a new one that began at 0. */
function growthByWords(one: Counter, was: Counter | undefined, { cut, wasCut, vanished }: Between): number {
  const { value = 0, slice, rows } = one;
  if (was?.isLive) {
    if (value >= was.value!) return value - was.value!;
    const beganAnew = !cut && !wasCut && rows === 1 && was.rows === 1;
    return beganAnew ? value : 0;
  }
  if (cut || wasCut) return 0;
  const gone = vanished.get(slice) ?? 0;
  vanished.set(slice, Math.max(0, gone - value));
  return Math.max(0, value - Math.max(was?.value ?? 0, gone));
}

/** The value from which the next growth is counted. */
function kept({ value, rows, isOnce }: Counter, was: Counter | undefined, cut: boolean): number | undefined {
  if (value === undefined || was?.value === undefined) return value ?? was?.value;
  const mayLack = cut || isOnce || rows > 1 || was.rows > 1;
  return mayLack ? Math.max(value, was.value) : value;
}
