/** Pure: from what a map holds to what it should hold. */
import type { Codec } from '../bpf/layout.ts';

export interface Change<K, V> {
  set: [K, V][];
  remove: K[];
}

/** Elements are compared as the kernel has them, byte by byte. Of two with one key the first one counts. */
export function diffMap<K, V>(
  { key, value }: { key: Codec<K>; value: Codec<V> },
  observed: readonly (readonly [K, V])[],
  desired: readonly (readonly [K, V])[],
): Change<K, V> {
  const bytes = <T>(codec: Codec<T>, of: T): string => codec.encode(of).toString('latin1');
  const there = new Map(observed.map(([k, v]) => [bytes(key, k), { k, v: bytes(value, v) }]));
  const seen = new Set<string>();
  const set: [K, V][] = [];
  for (const [k, v] of desired) {
    const id = bytes(key, k);
    if (seen.has(id)) continue;
    seen.add(id);
    if (there.get(id)?.v !== bytes(value, v)) set.push([k, v]);
  }
  return { set, remove: [...there].filter(([id]) => !seen.has(id)).map(([, { k }]) => k) };
}

/** The same where only the keys are ours and the values are the programs'. */
export function diffKeys<K>(observed: readonly K[], desired: readonly K[]): { add: K[]; remove: K[] } {
  const [there, wanted] = [new Set(observed), new Set(desired)];
  return { add: [...wanted].filter((key) => !there.has(key)), remove: [...there].filter((key) => !wanted.has(key)) };
}
