/** JSON merge patches (RFC 7386): what turns one object into another, with null for what is to go. */
import { isDeepStrictEqual } from 'node:util';

type Json = unknown;
export type MergePatch = Record<string, Json>;

/** undefined where there is no difference. Lists are replaced whole. */
export function mergePatch(before: object, after: object): MergePatch | undefined {
  return difference(before, after) as MergePatch | undefined;
}

function difference(before: Json, after: Json): Json {
  if (!isObject(before) || !isObject(after)) {
    return isDeepStrictEqual(before, after) ? undefined : after;
  }
  const patch: Record<string, Json> = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (after[key] === undefined) {
      if (before[key] !== undefined) patch[key] = null;
      continue;
    }
    const change = before[key] === undefined ? after[key] : difference(before[key], after[key]);
    if (change !== undefined) patch[key] = change;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function isObject(value: Json): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
