/**
 * The answer of one sensor, as every part passes it on: the node's server, the operator that asks all nodes, and metrics.
 * It is a part of the contract as the kinds are: what a node answers as JSON is a Reading, as CSV its rows.
 */
import { csvRecord } from './csv.ts';

export type ColumnType = 'string' | 'integer' | 'number' | 'time';

export interface Column {
  /** Letters, digits and underscores; unique in its sensor. */
  name: string;
  /** `time`: a text, RFC 3339 in ms. Integers are exact to 2^53. */
  type: ColumnType;
  /** Of a number: `seconds`, `bytes`, `bits/s`; without one it is a count or a ratio. */
  unit?: string;
  help?: string;
  /** Prometheus gets the column as that type. */
  metric?: 'gauge' | 'counter';
}

export type Cell = string | number | null;

export interface Reading {
  columns: readonly Column[];
  /** Each as long as `columns`; null where there is no value. */
  rows: readonly (readonly Cell[])[];
  /** When it was read, in ms since the epoch. */
  time: number;
}

/** RFC 4180 with a header row. */
export function readingCsv({ columns, rows }: Reading): string {
  let text = headerCsv(columns);
  for (const row of rows) text += rowCsv(row);
  return text;
}

export function headerCsv(columns: readonly Column[]): string {
  return csvRecord(columns.map(({ name }) => name));
}

export function rowCsv(row: readonly Cell[]): string {
  return csvRecord(row.map((value) => value ?? ''));
}
