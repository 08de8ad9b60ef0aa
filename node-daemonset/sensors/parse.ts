/** Text of a sensor as rows: pure, bounded by the text, and strict about nothing but what would be wrong in the answer. */
import type { Cell } from '../../crds/reading.ts';
import type { SensorColumn, SensorSpec } from '../../crds/types.ts';
import { linesOf, MAX_ROWS, parseCsv, parseTable, tooMany } from './cells.ts';
import { SourceError } from './source.ts';
import { MAX_WEIGHT, weightOf } from './weight.ts';
import { cut } from '../../crds/text.ts';

export type Format = NonNullable<SensorSpec['format']>;
export type Row = readonly Cell[];

const MAX_CELL = 4_096;

export interface Shape {
  format: Format;
  columns: readonly SensorColumn[];
  /** Of a Table: the first line names the columns; TooLarge. */
  heading: boolean;
}

/** Throws SourceError NotParsed where the text is not of the format, or has none of the columns. */
export function parseText(text: string, shape: Shape): Row[] {
  const rows = READERS[shape.format](text, shape);
  if (weightOf(rows) <= MAX_WEIGHT) return rows;
  throw new SourceError('TooLarge', `its rows have more than ${MAX_WEIGHT} characters as JSON, with 8 for each cell`);
}

const READERS: Readonly<Record<Format, (text: string, shape: Shape) => Row[]>> = {
  Value: (text, { columns }) => [[cellOf(text.trim(), columns[0]!)]],
  KeyValue: (text, { columns }) => [keyValues(text, columns)],
  JSON: (text, { columns }) =>
    jsonRows(text).map((object) => columns.map((column) => cellOf(object[fieldOf(column)], column))),
  CSV: (text, { columns }) => tableRows(parseCsv(text), columns, true),
  Table: (text, { columns, heading }) => tableRows(parseTable(text), columns, heading),
};

/** Lines of a stream, one after the other: undefined for a line that is no row, such as the heading. */
export function lineParser({ format, columns, heading }: Shape): (line: string) => Row | undefined {
  let pick: ((cells: readonly string[]) => Row) | undefined;
  return (line) => {
    if (line.trim() === '') return undefined;
    if (format === 'JSON') {
      const [object] = jsonRows(line);
      return object && columns.map((column) => cellOf(object[fieldOf(column)], column));
    }
    const cells = format === 'CSV' ? (parseCsv(line)[0] ?? []) : line.trim().split(/\s+/);
    const isHeading = !pick && (format === 'CSV' || heading);
    pick ??= picker(isHeading ? cells : undefined, columns);
    return isHeading ? undefined : pick(cells);
  };
}

function tableRows(lines: readonly (readonly string[])[], columns: readonly SensorColumn[], heading: boolean): Row[] {
  const [first] = lines;
  if (!first) {
    if (heading) throw new SourceError('NotParsed', 'the text is empty: it must begin with the names of the columns');
    return [];
  }
  const pick = picker(heading ? first : undefined, columns);
  return bounded(heading ? lines.slice(1) : lines).map(pick);
}

/** Without a heading a column's field is its number, from 1, or else its place among the columns. */
function picker(
  heading: readonly string[] | undefined,
  columns: readonly SensorColumn[],
): (cells: readonly string[]) => Row {
  const places = columns.map((column, i) => {
    if (heading) return heading.findIndex((name) => name.trim() === fieldOf(column));
    return column.field !== undefined && /^[1-9]\d{0,3}$/.test(column.field) ? Number(column.field) - 1 : i;
  });
  if (heading && places.every((place) => place < 0)) {
    const wanted = columns.map(fieldOf).join(', ');
    throw new SourceError('NotParsed', `its first line names none of the columns ${wanted}`);
  }
  return (cells) => columns.map((column, i) => cellOf(cells[places[i]!], column));
}

function keyValues(text: string, columns: readonly SensorColumn[]): Row {
  const values = new Map<string, string>();
  for (const line of linesOf(text)) {
    const found = keyAndValue(line);
    if (found && !values.has(found[0])) values.set(...found);
  }
  if (!columns.some((column) => values.has(fieldOf(column)))) {
    throw new SourceError('NotParsed', `it has none of the keys ${columns.map(fieldOf).join(', ')}`);
  }
  return columns.map((column) => cellOf(values.get(fieldOf(column)), column));
}

/** Parted at its first colon or equals sign, or else at its first blank. By index: a pattern would try each blank of a megabyte anew. */
function keyAndValue(line: string): [key: string, value: string] | undefined {
  const text = line.trimStart();
  const mark = text.search(/[:=]/);
  const at = mark > 0 ? mark : text.search(/\s/);
  return at < 0 ? undefined : [text.slice(0, at).trimEnd(), text.slice(at + 1).trim()];
}

function jsonRows(text: string): Record<string, unknown>[] {
  let values: unknown[];
  try {
    const whole = text.trim();
    if (whole.startsWith('[')) values = JSON.parse(whole) as unknown[];
    else values = whole === '' ? [] : [...linesOf(whole, MAX_ROWS)].map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError('NotParsed', `it is no JSON: ${(error as Error).message.slice(0, 120)}`);
  }
  return bounded(values).map((value) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new SourceError('NotParsed', 'its JSON has something else than objects');
  });
}

function bounded<T>(rows: readonly T[]): readonly T[] {
  if (rows.length <= MAX_ROWS) return rows;
  throw tooMany('rows', MAX_ROWS);
}

function fieldOf({ field, name }: SensorColumn): string {
  return field ?? name;
}

/** Null for what is not of the type. */
export function cellOf(value: unknown, { type }: Pick<SensorColumn, 'type'>): Cell {
  if (typeof value === 'boolean') return cellOf(type === 'string' ? String(value) : Number(value), { type });
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  if (type === 'string') return cut(String(value), MAX_CELL);
  if (type === 'time') {
    const ms = typeof value === 'number' ? NaN : Date.parse(value);
    return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
  }
  const number = typeof value === 'number' ? value : numberIn(value);
  if (!Number.isFinite(number)) return null;
  return type === 'number' || Number.isSafeInteger(number) ? number : null;
}

/** The number at the beginning of a text such as `16384 kB`. */
function numberIn(text: string): number {
  return Number(/^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)/.exec(text)?.[1] ?? NaN);
}
