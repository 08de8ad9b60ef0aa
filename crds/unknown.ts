/** Fields that a schema does not have: an API server prunes them, and whoever misspelt one is told nothing. */
import type { Schema } from './schemas.ts';

export interface Unknown {
  /** For example `cpu.sharess`, or `ports[0].prot`. */
  path: string;
  /** What there is in its place. */
  known: string[];
}

/** The first one, in the order in which they are written; undefined where there is none. Free maps may have any name. */
export function findUnknown(value: unknown, schema: Schema, path = ''): Unknown | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    return firstOf(value, (one, at) => schema.items && findUnknown(one, schema.items, `${path}[${at}]`));
  }
  const { properties } = schema;
  if (!properties) return undefined;
  return firstOf(Object.entries(value), ([name, one]) => {
    const below = path === '' ? name : `${path}.${name}`;
    if (!Object.hasOwn(properties, name)) return { path: below, known: Object.keys(properties) };
    return findUnknown(one, properties[name]!, below);
  });
}

function firstOf<T, R>(list: readonly T[], find: (one: T, at: number) => R | undefined): R | undefined {
  for (const [at, one] of list.entries()) {
    const found = find(one, at);
    if (found !== undefined) return found;
  }
  return undefined;
}
