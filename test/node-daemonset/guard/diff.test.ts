import assert from 'node:assert/strict';
import { type Codec, LAYOUTS } from '../../../node-daemonset/bpf/layout.ts';
import { type Change, diffKeys, diffMap } from '../../../node-daemonset/guard/diff.ts';

describe('the difference of two maps', () => {
  const { ports, addresses, counters } = LAYOUTS;
  const tcp = (port: number): { protocol: number; port: number } => ({ protocol: 6, port });

  /** As it is read from the kernel. */
  function raw<K, V>({ key, value }: { key: Codec<K>; value: Codec<V> }, entries: [K, V][]): Map<string, string> {
    const text = (bytes: Buffer): string => bytes.toString('latin1');
    return new Map(entries.map(([k, v]) => [text(key.encode(k)), text(value.encode(v))]));
  }
  const portsOf = ({ set, remove }: Change): object => ({
    set: set.map(([key, value]) => [ports.key.decode(key), ports.value.decode(value)]),
    remove: remove.map((key) => ports.key.decode(key)),
  });

  it('is what must be written and what must go', () => {
    const there: [ReturnType<typeof tcp>, number][] = [
      [tcp(1), 1],
      [tcp(2), 2],
      [tcp(3), 3],
    ];
    const wanted: typeof there = [
      [tcp(1), 1],
      [tcp(2), 7],
      [tcp(4), 4],
    ];
    assert.deepEqual(portsOf(diffMap(ports, raw(ports, there), wanted)), {
      set: [
        [tcp(2), 7],
        [tcp(4), 4],
      ],
      remove: [tcp(3)],
    });
    assert.deepEqual(diffMap(ports, raw(ports, wanted), wanted), { set: [], remove: [] });
  });

  it('goes by the first of two with one key, and by bytes', () => {
    const address = (text: string): { sliver: number; address: string } => ({ sliver: 1, address: text });
    const wanted = [[address('fd00:0::1'), 1] as const, [address('fd00::1'), 2] as const];
    const there = raw(addresses, [[address('fd00::1'), 1]]);
    assert.deepEqual(diffMap(addresses, there, wanted), { set: [], remove: [] });
  });

  it('of rows is their keys', () => {
    const zero = Buffer.alloc(counters.value.size);
    const there = new Map([1, 2].map((number) => [counters.key.encode(number).toString('latin1'), 'counted']));
    const { set, remove } = diffKeys(counters.key, zero, there, [2, 3, 3]);
    assert.deepEqual(set, [[counters.key.encode(3), zero]]);
    assert.deepEqual(remove, [counters.key.encode(1)]);
  });
});
