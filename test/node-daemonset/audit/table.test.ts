import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { contains, parseAddress, parsePrefix } from '../../../crds/ipaddress.ts';
import { type Flow, OVERFLOW_PROTOCOL } from '../../../node-daemonset/audit/flow.ts';
import { FlowTable } from '../../../node-daemonset/audit/table.ts';
import { makeFlow } from './flows.ts';

const flow = fc
  .record({
    sliver: fc.integer({ min: 1, max: 4 }),
    source: fc.constantFrom('10.0.0.1', 'fd00::1'),
    destination: fc.oneof(fc.constantFrom('192.0.2.1', '2001:db8::1', '0.0.0.0', '::'), fc.ipV4()),
    protocol: fc.constantFrom(1, 6, 17, 58),
    sourcePort: fc.constantFrom(0, 1, 65535),
    destinationPort: fc.constantFrom(0, 80, 65535),
    tcpFlags: fc.nat(255),
    first: fc.nat(1000),
    last: fc.integer({ min: 1000, max: 2000 }),
    packets: fc.nat(100),
    bytes: fc.nat(2 ** 40),
  })
  .map((one): Flow => one);

const total = (flows: Iterable<Flow>): { packets: number; bytes: number } => {
  let [packets, bytes] = [0, 0];
  for (const one of flows) [packets, bytes] = [packets + one.packets, bytes + one.bytes];
  return { packets, bytes };
};

describe('the table of flows', () => {
  it('adds up what a map of objects would', () => {
    fc.assert(
      fc.property(fc.array(flow, { maxLength: 600 }), fc.nat(), (flows, seed) => {
        const table = new FlowTable({ seed, capacity: 4_000_000 });
        const model = new Map<string, Flow>();
        for (const one of flows) {
          table.add(one);
          const { first, last, packets, bytes, tcpFlags, ...key } = one;
          const sum = model.get(JSON.stringify(key));
          model.set(JSON.stringify(key), {
            ...one,
            first: Math.min(first, sum?.first ?? Infinity),
            last: Math.max(last, sum?.last ?? 0),
            packets: packets + (sum?.packets ?? 0),
            bytes: bytes + (sum?.bytes ?? 0),
            tcpFlags: tcpFlags | (sum?.tcpFlags ?? 0),
          });
        }
        assert.deepEqual([...table.read()], [...model.values()]);
      }),
      { numRuns: 50 },
    );
  });

  it('loses no byte for want of room, and never has more rows than it may', () => {
    fc.assert(
      fc.property(fc.array(flow, { maxLength: 300 }), fc.integer({ min: 2, max: 60 }), (flows, capacity) => {
        const table = new FlowTable({ seed: 1, capacity });
        for (const one of flows) table.add(one);
        assert.deepEqual(total(table.read()), total(flows));
        const told = [...table.read()].filter(({ protocol }) => protocol !== OVERFLOW_PROTOCOL);
        // 4 slivers with a row of their own each, and half of the room for whoever comes first
        assert.ok(told.length <= Math.floor(capacity / 2) + 4, `${told.length} of ${capacity}`);
      }),
    );
  });

  it('keeps room for everybody beside slivers that scan', () => {
    const table = new FlowTable({ seed: 3, capacity: 4096 });
    for (let i = 0; i < 20_000; i++) {
      for (let scanner = 1; scanner <= 8; scanner++) {
        table.add(makeFlow({ sliver: scanner, destination: `198.51.${i >> 8}.${i & 255}` }));
      }
    }
    table.add(makeFlow({ sliver: 99, destination: '192.0.2.99', bytes: 1234 }));
    const [its] = [...table.read()].filter(({ sliver }) => sliver === 99);
    assert.deepEqual([its?.destination, its?.bytes], ['192.0.2.99', 1234]);
    assert.ok(table.rows <= 4096 + 9, `${table.rows} rows`);
    assert.ok(table.folded > 0);
  });

  it('reads what goes to a prefix as a slow comparison would', () => {
    const prefix = fc.oneof(
      fc.tuple(fc.ipV4(), fc.nat(32)).map(([address, bits]) => `${address}/${bits}`),
      fc
        .tuple(fc.constantFrom('2001:db8::', '::', '::ffff:0:0'), fc.nat(128))
        .map(([address, bits]) => `${address}/${bits}`),
    );
    fc.assert(
      fc.property(fc.array(flow, { maxLength: 50 }), prefix, (flows, text) => {
        const table = new FlowTable({ seed: 1 });
        for (const one of flows) table.add(one);
        const wanted = parsePrefix(text)!;
        const slow = [...table.read()].filter(({ destination }) => contains(wanted, parseAddress(destination)!));
        assert.deepEqual([...table.read(0, Infinity, wanted)], slow);
      }),
    );
  });
});
