/** Readings as bytes: each made once, and shared by all answers that carry it. */
import { createHash } from 'node:crypto';
import { type Cell, headerCsv, type Reading, readingCsv, rowCsv } from '../../crds/reading.ts';
import type { Column } from '../../crds/reading.ts';
import type { Form } from '../../crds/sensorpath.ts';

export interface Body {
  bytes: Buffer;
  etag: string;
}

export const TYPES: Readonly<Record<Form, string>> = {
  csv: 'text/csv; charset=utf-8; header=present',
  json: 'application/json',
};
/** A stream as JSON: a line with the columns, then an array a line. */
export const STREAM_TYPES: Readonly<Record<Form, string>> = { ...TYPES, json: 'application/x-ndjson' };

const bodies = new WeakMap<Reading, Partial<Record<Form, Body>>>();
const rows = new WeakMap<readonly Cell[], Partial<Record<Form, Buffer>>>();

export function bodyOf(reading: Reading, form: Form): Body {
  const known = bodies.get(reading) ?? {};
  bodies.set(reading, known);
  return (known[form] ??= make(form === 'csv' ? readingCsv(reading) : `${JSON.stringify(reading)}\n`));
}

function make(text: string): Body {
  const bytes = Buffer.from(text);
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
}

export function headBytes(columns: readonly Column[], form: Form): Buffer {
  return Buffer.from(form === 'csv' ? headerCsv(columns) : `${JSON.stringify({ columns })}\n`);
}

export function rowBytes(row: readonly Cell[], form: Form): Buffer {
  const known = rows.get(row) ?? {};
  rows.set(row, known);
  return (known[form] ??= Buffer.from(form === 'csv' ? rowCsv(row) : `${JSON.stringify(row)}\n`));
}
