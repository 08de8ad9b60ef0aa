/** How what an owner says in several places becomes one policy. */
import type { SliceNodeSpec } from './types.ts';

/**
 * One over the other: a field given over it replaces the one below as a whole, but for `budget`, `audit` and `sensors`, whose
 * fields are taken one by one, and `namespaces`, which are merged by name.
 */
export function mergePolicy(below: SliceNodeSpec, over: SliceNodeSpec): SliceNodeSpec {
  const merged: SliceNodeSpec = { ...below, ...over };
  if (below.budget && over.budget) merged.budget = { ...below.budget, ...over.budget };
  if (below.audit && over.audit) merged.audit = { ...below.audit, ...over.audit };
  if (below.sensors && over.sensors) merged.sensors = { ...below.sensors, ...over.sensors };
  if (below.namespaces && over.namespaces) {
    const named = new Set(over.namespaces.map(({ name }) => name));
    merged.namespaces = [...below.namespaces.filter(({ name }) => !named.has(name)), ...over.namespaces];
  }
  return merged;
}
