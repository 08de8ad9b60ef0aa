/** Readings as bytes: each made once, and shared by all answers that carry it. */
import { createHash } from 'node:crypto';
import { type Cell, headerCsv, type Reading, readingCsv, rowCsv } from '../../crds/reading.ts';
import type { Column } from '../../crds/reading.ts';

export type Form = 'csv' | 'json';

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

/** `/<sensor>/<argument>...`, and what its ending or the Accept header asks for; undefined where the path is no such. */
export function parsePath(path: string, accept: string): { parts: string[]; form: Form } | undefined {
  let parts: string[];
  try {
    parts = path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
  // `/load/` is `/load`
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => part === '' || /\p{Cc}/u.test(part))) return undefined;
  const last = parts.at(-1) ?? '';
  const ending = /\.(csv|json)$/.exec(last)?.[1] as Form | undefined;
  if (ending) parts[parts.length - 1] = last.slice(0, -ending.length - 1);
  if (parts.at(-1) === '') parts.pop();
  return { parts, form: ending ?? (/\bapplication\/(x-nd)?json\b/.test(accept) ? 'json' : 'csv') };
}
