/** One object against one CRD schema, judged as the API server judges it (unknown fields are none of our business). */
import { Ajv, type AnySchema, type ErrorObject } from 'ajv';
import { isTooLarge, MAX_QUANTITY } from './quantity.ts';
import type { Schema } from './schemas.ts';

export interface Violation {
  /** For example `spec.resources.cpu.shares`. */
  path: string;
  message: string;
}

/** RFC 3339, as the API server's `date-time`: with seconds and with a zone. */
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** An object may be wrong in thousands of places; people read the first few. */
const MAX_VIOLATIONS = 10;

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addFormat('date-time', (text) => DATE_TIME.test(text) && isWithinFourDigits(Date.parse(text)));
ajv.addFormat('int64', true);
// every int-or-string of ours is a quantity
ajv.addKeyword({
  keyword: 'x-kubernetes-int-or-string',
  schemaType: 'boolean',
  // a pattern can't bound a value: `1e999` has the shape of a quantity
  validate: (_: boolean, value: string | number) => !isTooLarge(value),
});
ajv.addKeyword({ keyword: 'x-kubernetes-list-map-keys', schemaType: 'array', validate: uniqueKeys });
ajv.addKeyword({
  keyword: 'x-kubernetes-list-type',
  validate: (type: string, list: unknown) =>
    type !== 'set' || !Array.isArray(list) || new Set(list).size === list.length,
});

/** A zone can take an instant out of the years 0 to 9999, where nobody can write it down in UTC; NaN is in no year. */
function isWithinFourDigits(ms: number): boolean {
  return ms >= Date.parse('0000-01-01T00:00:00Z') && ms <= Date.parse('9999-12-31T23:59:59Z');
}

const compiled = new WeakMap<Schema, ReturnType<typeof ajv.compile>>();

/** Empty where the object fits its schema; else the first few misfits. */
export function checkSchema(object: unknown, schema: Schema): Violation[] {
  let validate = compiled.get(schema);
  if (!validate) compiled.set(schema, (validate = ajv.compile(toJsonSchema(schema))));
  if (validate(object)) return [];
  return (validate.errors ?? [])
    .slice(0, MAX_VIOLATIONS)
    .map((error) => ({ path: path(error), message: message(error) }));
}

/** Two entries of a list map must not have the same keys. */
function uniqueKeys(keys: string[], list: unknown): boolean {
  if (!Array.isArray(list)) return true;
  const seen = new Set(list.map((entry: Record<string, unknown>) => JSON.stringify(keys.map((key) => entry?.[key]))));
  return seen.size === list.length;
}

/** OpenAPI as JSON Schema: int-or-string becomes a type; status is not judged, its writer answers for it. */
function toJsonSchema(schema: Schema): AnySchema {
  const convert = (one: Schema): AnySchema => {
    const { properties, items, additionalProperties, title: _, description: __, ...rest } = one;
    return {
      ...rest,
      ...(one['x-kubernetes-int-or-string'] && { type: ['integer', 'string'] }),
      ...(properties && {
        properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, convert(each)])),
      }),
      ...(items && { items: convert(items) }),
      ...(additionalProperties && { additionalProperties: convert(additionalProperties) }),
    };
  };
  const { status: _, ...properties } = schema.properties ?? {};
  return convert({ ...schema, properties });
}

function path(error: ErrorObject): string {
  const parts = error.instancePath.split('/').slice(1);
  if (error.keyword === 'required') parts.push((error.params as { missingProperty: string }).missingProperty);
  return (
    parts
      .map((part) => (/^\d+$/.test(part) ? `[${part}]` : part))
      .join('.')
      .replaceAll('.[', '[') || 'object'
  );
}

function message(error: ErrorObject): string {
  switch (error.keyword) {
    case 'required':
      return 'is required';
    case 'enum':
      return `must be one of ${(error.params as { allowedValues: string[] }).allowedValues.join(', ')}`;
    case 'x-kubernetes-list-map-keys':
    case 'x-kubernetes-list-type':
      return 'must not name the same thing twice';
    case 'x-kubernetes-int-or-string':
      return `is too large: at most ${MAX_QUANTITY}`;
    case 'format':
      return 'must be a time such as 2026-12-01T00:00:00Z';
    default:
      return error.message ?? 'is not valid';
  }
}

/** Takes what is wrong, and where that is in what is looked at: '' for all of it. */
export type Say = (path: string, message: string) => void;

/** Adds to the violations what is said of what lies at `prefix`. */
export function collect(violations: Violation[], prefix: string): Say {
  return (path, message) => violations.push({ path: path === '' ? prefix : `${prefix}.${path}`, message });
}

/** The size of a spec as JSON, in UTF-8. */
export function specBytes(spec: object): number {
  return Buffer.byteLength(JSON.stringify(spec));
}
