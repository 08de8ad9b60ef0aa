/** One text for one value: what is signed must not be writable in two ways. */
import { createHash } from 'node:crypto';
import { Refusal } from './refusal.ts';

/** What may be in a claim: no fractions, no null. */
export type Canonical = string | number | readonly Canonical[] | { readonly [name: string]: Canonical | undefined };

/** More levels than tickets, requests and answers have; and so few that nobody's text is too deep for the stack. */
const MAX_DEPTH = 16;

/** JSON without spaces, names in the order of their code units, absent values left out. Throws Refusal where it can't be written. */
export function canonical(value: Canonical): string {
  return textOf(value, MAX_DEPTH);
}

function textOf(value: Canonical, levels: number): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new Refusal('Malformed', `${value} can't be signed: only whole numbers have one text`);
    }
    return String(value);
  }
  if (typeof value !== 'object' || value === null) throw new Refusal('Malformed', `${String(value)} can't be signed`);
  if (levels === 0) throw new Refusal('Malformed', `what has more than ${MAX_DEPTH} levels can't be signed`);
  const inner = (one: Canonical) => textOf(one, levels - 1);
  if (isList(value)) return `[${value.map(inner).join(',')}]`;
  const fields = Object.entries(value).filter((field): field is [string, Canonical] => field[1] !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, one]) => `${JSON.stringify(name)}:${inner(one)}`).join(',')}}`;
}

function isList(value: Canonical): value is readonly Canonical[] {
  return Array.isArray(value);
}

/** What is signed, or hashed: the text under a heading of its own, so that no signature is good for something else. */
export function underHeading(heading: string, value: Canonical): Buffer {
  return Buffer.from(`slice-operator.io/${heading}/v1\n${canonical(value)}`);
}

/** A SHA-256 in base64url. */
export function digest(heading: string, value: Canonical): string {
  return createHash('sha256').update(underHeading(heading, value)).digest('base64url');
}

/** So many bytes in base64url, written in the one way that they have. */
export function readBytes(text: unknown, what: string, length: number): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64url') : undefined;
  if (bytes?.length !== length || bytes.toString('base64url') !== text) {
    throw new Refusal('Malformed', `${what} must be ${length} bytes in base64url`);
  }
  return bytes;
}

/** An object with these fields and no others; of the first ones none may be absent. */
export function readFields(
  value: unknown,
  what: string,
  required: readonly string[],
  optional: readonly string[] = [],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal('Malformed', `${what} must be an object`);
  }
  const fields = value as Record<string, unknown>;
  const missing = required.find((name) => !Object.hasOwn(fields, name));
  if (missing !== undefined) throw new Refusal('Malformed', `${what} has no ${missing}`);
  const foreign = Object.keys(fields).find((name) => !required.includes(name) && !optional.includes(name));
  if (foreign !== undefined) throw new Refusal('Malformed', `${what} may not have ${JSON.stringify(foreign)}`);
  return fields;
}

export function readText(value: unknown, what: string, pattern: RegExp): string {
  if (typeof value !== 'string' || !pattern.test(value)) throw new Refusal('Malformed', `${what} is not as it must be`);
  return value;
}
