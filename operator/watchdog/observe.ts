/** One look at all nodes: the values by which a watchdog goes, and what is missing in them. */
import type { WatchdogSpec } from '../../crds/types.ts';
import type { NodeReading } from './readings.ts';
import { type Believed, valuesOf } from './rows.ts';
import { addTotals, type Counted, type Totals } from './totals.ts';

export interface Look {
  /** By key, over all nodes. */
  values: ReadonlyMap<string, number>;
  totals: Totals;
  answered: number;
  /** `node2: it did not answer in time`; or that it sent a part of what there is. */
  silent: string[];
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
  for (const answer of answers) {
    const { node } = answer;
    if ('error' in answer) {
      silent.push(`${node}: ${answer.error}`);
      continue;
    }
    try {
      const cut = answer.cut ?? false;
      counted.push({ node, values: valuesOf(spec, node, answer.reading, believed), cut });
      if (cut) silent.push(`${node}: sent only a part`);
    } catch (error) {
      silent.push(`${node}: ${(error as Error).message}`);
    }
  }
  const { periodSeconds } = spec;
  const totals = periodSeconds === undefined ? before : addTotals(before, counted, periodSeconds * 1000, time);
  const values = periodSeconds === undefined ? sumOf(counted) : totals.sums;
  return { values, totals, answered: counted.length, silent, time };
}

function sumOf(counted: readonly Counted[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { values } of counted) {
    for (const [key, value] of values) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}
