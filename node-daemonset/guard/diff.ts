/** Pure: from what a map holds to what it should hold. Elements are compared as the kernel has them, byte by byte. */
import type { RawEntries } from '../bpf/map.ts';
import type { Codec } from '../bpf/layout.ts';

/** Elements to write, and keys of elements to delete, in the kernel's own form. */
export interface Change {
  set: [Buffer, Buffer][];
  remove: Buffer[];
}

/** Of two desired elements with one key the first one counts. */
export function diffMap<K, V>(
  { key, value }: { key: Codec<K>; value: Codec<V> },
  observed: RawEntries,
  desired: readonly (readonly [K, V])[],
): Change {
  const seen = new Set<string>();
  const set: Change['set'] = [];
  for (const [k, v] of desired) {
    const bytes = key.encode(k);
    const id = bytes.toString('latin1');
    if (seen.has(id)) continue;
    seen.add(id);
    const wanted = value.encode(v);
    if (observed.get(id) !== wanted.toString('latin1')) set.push([bytes, wanted]);
  }
  return { set, remove: unwanted(observed, seen) };
}

/** The same where only the keys are ours and the values are the programs': a new one begins as `zero`. */
export function diffKeys<K>(key: Codec<K>, zero: Buffer, observed: RawEntries, desired: readonly K[]): Change {
  const seen = new Set<string>();
  const set: Change['set'] = [];
  for (const one of desired) {
    const bytes = key.encode(one);
    const id = bytes.toString('latin1');
    if (!seen.has(id) && !observed.has(id)) set.push([bytes, zero]);
    seen.add(id);
  }
  return { set, remove: unwanted(observed, seen) };
}

function unwanted(observed: RawEntries, wanted: ReadonlySet<string>): Buffer[] {
  return [...observed.keys()].filter((id) => !wanted.has(id)).map((id) => Buffer.from(id, 'latin1'));
}
