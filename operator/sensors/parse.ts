/** A node's reading, read as what anybody might have sent: a node speaks for itself and in the contract's words. */
import type { Cell, Column, ColumnType, Reading } from '../../crds/reading.ts';

const TYPES: readonly string[] = ['string', 'integer', 'number', 'time'];
const MAX_COLUMNS = 64;
const MAX_TEXT = 4_096;

/** Throws where the text is no reading. */
export function parseReading(text: string): Reading {
  const value = JSON.parse(text) as Partial<Record<keyof Reading, unknown>> | null;
  if (typeof value !== 'object' || value === null) throw new Error('it is no reading');
  const { columns, rows, time } = value;
  if (!Array.isArray(columns) || !Array.isArray(rows) || typeof time !== 'number' || !Number.isFinite(time)) {
    throw new Error('it is no reading');
  }
  if (columns.length > MAX_COLUMNS) throw new Error(`it has ${columns.length} columns, more than ${MAX_COLUMNS}`);
  const known = columns.map(parseColumn);
  if (new Set(known.map(({ name }) => name)).size < known.length) throw new Error('two of its columns have one name');
  return { columns: known, rows: rows.map((row) => parseRow(row, known)), time };
}

function parseColumn(value: unknown): Column {
  const { name, type, unit, help, metric } = (value ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string' || !/^[A-Za-z_]\w{0,62}$/.test(name)) throw new Error('a column of it has no name');
  if (typeof type !== 'string' || !TYPES.includes(type)) throw new Error('a column of it has no type');
  return {
    name,
    type: type as ColumnType,
    ...(isText(unit) && { unit }),
    ...(isText(help) && { help }),
    ...((metric === 'gauge' || metric === 'counter') && { metric }),
  };
}

function parseRow(value: unknown, columns: readonly Column[]): Cell[] {
  if (!Array.isArray(value) || value.length !== columns.length) throw new Error('a row of it is no row of its columns');
  return value.map((cell: unknown, i): Cell => {
    if (cell === null) return null;
    const { type, name } = columns[i]!;
    const isNumber = type === 'integer' || type === 'number';
    if (isNumber ? typeof cell === 'number' && Number.isFinite(cell) : isText(cell)) return cell as Cell;
    throw new Error(`its column ${name} has a value that is no ${type}`);
  });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}
