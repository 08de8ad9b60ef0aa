/** What a benchmark says: one measured value a row, with the bar that it has to pass. */

/** Both ends belong to it. */
export interface Bar {
  min?: number;
  max?: number;
}

export interface Row {
  bench: string;
  name: string;
  value: number;
  unit: string;
  /** Such as `9.8..10.1`, `>= 29.5`, `<= 50`; null: measured for comparison only. */
  bar: string | null;
  ok: boolean;
  note?: string;
}

export interface Measurement {
  name: string;
  value: number;
  unit: string;
  bar?: Bar;
  note?: string;
}

export type Report = (measurement: Measurement) => void;

/** One benchmark, in a file of its own: measures, reports, and cleans up after itself, also when it fails. */
export interface Bench {
  /** One line: what it measures, and what it needs. */
  about: string;
  run(report: Report, progress: (what: string) => void): Promise<void>;
}

export function toRow(bench: string, { name, value, unit, bar, note }: Measurement): Row {
  const rounded = Number(value.toPrecision(4));
  const ok = bar === undefined || (rounded >= (bar.min ?? -Infinity) && rounded <= (bar.max ?? Infinity));
  return { bench, name, value: rounded, unit, bar: bar ? barText(bar) : null, ok, ...(note && { note }) };
}

function barText({ min, max }: Bar): string {
  if (min !== undefined && max !== undefined) return `${min}..${max}`;
  return min === undefined ? `<= ${max}` : `>= ${min}`;
}
