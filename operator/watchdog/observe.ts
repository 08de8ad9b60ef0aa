/** One look at all nodes: the values by which a watchdog goes, and what is missing in them. */
import type { WatchdogSpec } from '../../crds/types.ts';
import type { NodeReading } from './readings.ts';
import { type Believed, keyOfSlice, MOST, rowsOf } from './rows.ts';
import { addTotals, type Counted, type Counting, type Totals } from './totals.ts';

export interface Look {
  /** By key, over all nodes. */
  values: ReadonlyMap<string, number>;
  totals: Totals;
  answered: number;
  /** `node2: it did not answer in time`; or that it sent a part of what there is. */
  silent: string[];
  /** Those nodes: of a slice with a right there the value may be larger than it seems. */
  unheard: string[];
  /** ms since the epoch */
  time: number;
}

/** Pure. */
export function look(
  spec: WatchdogSpec,
  answers: readonly NodeReading[],
  before: Totals,
  believed: Believed,
  time: number,
): Look {
  const counted: Counted[] = [];
  const silent: string[] = [];
  const unheard = new Set<string>();
  const miss = (node: string, why: string): void => {
    silent.push(`${node}: ${why}`);
    unheard.add(node);
  };
  for (const answer of answers) {
    const { node } = answer;
    if ('error' in answer) {
      miss(node, answer.error);
      continue;
    }
    try {
      const cut = answer.cut ?? false;
      counted.push({ node, rows: rowsOf(spec, answer.reading), cut });
      if (cut) miss(node, 'sent only a part');
    } catch (error) {
      miss(node, (error as Error).message);
    }
  }
  const { periodSeconds } = spec;
  const keyOf = (node: string, slice: string): string | undefined =>
    believed(node, slice) ? keyOfSlice(spec, slice) : undefined;
  const seen = { answered: counted.length, silent, unheard: [...unheard], time };
  if (periodSeconds === undefined) return { ...seen, values: sumOf(counted, keyOf), totals: before };
  const totals = addTotals(before, counted, { periodMs: periodSeconds * 1000, keyOf }, time);
  return { ...seen, values: totals.sums, totals };
}

function sumOf(counted: readonly Counted[], keyOf: Counting['keyOf']): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { node, rows } of counted) {
    for (const { slice, value = 0 } of rows) {
      const key = keyOf(node, slice);
      if (key !== undefined && value > 0) sums.set(key, Math.min(MOST, (sums.get(key) ?? 0) + value));
    }
  }
  return sums;
}
