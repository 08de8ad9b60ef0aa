import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { addressBytes, addressText } from '../../../node-daemonset/bpf/address.ts';
import { isBpffs } from '../../../node-daemonset/bpf/bpffs.ts';
import { parseFlow, REST } from '../../../node-daemonset/bpf/flows.ts';
import { DROPS } from '../../../node-daemonset/bpf/kernel.ts';
import { countersOf, LAYOUTS, MAX_FLOWS, SLIVER_MARK } from '../../../node-daemonset/bpf/layout.ts';

const source = (name: string): string =>
  readFileSync(new URL(`../../../node-daemonset/bpf/${name}`, import.meta.url), 'utf8');

describe('what the node manager and the programs have in common', () => {
  it('are elements that come back as they were', () => {
    const u32 = fc.nat({ max: 0xffff_ffff });
    const u16 = fc.nat({ max: 0xffff });
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const same = <T>(codec: { size: number; encode(value: T): Buffer; decode(bytes: Buffer): T }, value: T): void => {
      const bytes = codec.encode(value);
      assert.equal(bytes.length, codec.size);
      assert.deepEqual(codec.decode(bytes), value);
    };
    const entry = fc.record(
      { flags: u32, priority: u32, generation: u32, echoRate: u32, optionRate: u32 },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(entry, (value) => same(LAYOUTS.slivers.value, value)));
    const settings = fc.record(
      { kubepods: u64, manager: u64, netns: u64, firstPort: u16, lastPort: u16, sockets: u32 },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(settings, (value) => same(LAYOUTS.settings.value, value)));
    fc.assert(fc.property(u16, (port) => same(LAYOUTS.ports.key, { protocol: 17, port })));
    same(LAYOUTS.exempt.key, { family: 4, address: '192.0.2.0', bits: 120 });
    same(LAYOUTS.exempt.key, { family: 6, address: 'fd00::', bits: 8 });
    const errorsOf = { protocol: 17 as const, port: 9 };
    const grant = { sliver: 1, generation: 2, family: 6 as const, protocol: 58 as const, port: 3 };
    same(LAYOUTS.raw_sockets.value, grant);
    same(LAYOUTS.raw_sockets.value, { ...grant, errorsOf });
  });

  it('are addresses of both families', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => assert.equal(addressText(addressBytes(text)), text)));
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(bytes, (some) => {
        const v6 = Buffer.from(some);
        v6[0] = 0x20;
        assert.deepEqual(addressBytes(addressText(v6)), v6);
      }),
    );
    for (const text of ['::', '::1', 'fd00::1', 'fd00::1:0:0:1']) assert.equal(addressText(addressBytes(text)), text);
  });

  it('are the reasons of drops, in their order, and the sizes of maps', () => {
    const [, names] = /enum drop \{([^}]*)\}/.exec(source('sliver.h'))!;
    const inC = names!.split(',').map((name) => name.trim().toLowerCase().replaceAll('_', ''));
    assert.deepEqual(inC, [...DROPS.map((name) => name.toLowerCase()), 'drops']);
    assert.match(source('sliver.h'), new RegExp(`#define SLIVER_MARK ${SLIVER_MARK}\n`));
    assert.match(source('uplink.bpf.c'), new RegExp(`#define MAX_FLOWS ${MAX_FLOWS}\n`));
  });

  it('are counters, summed over all processors', () => {
    const two = Buffer.alloc(2 * countersOf(1).size);
    two.writeBigUInt64LE(5n, 0);
    two.writeBigUInt64LE(7n, countersOf(1).size);
    two.writeBigUInt64LE(9n, 16 + 8 * DROPS.indexOf('refused'));
    const { packets, bytes, drops } = countersOf(2).decode(two);
    assert.deepEqual([packets, bytes, drops.refused, drops.unready], [12, 0, 9, 0]);
  });

  it('are flows, with and without detail', () => {
    const key = Buffer.alloc(44);
    key.writeUInt32LE(7, 0);
    key.set(addressBytes('10.0.0.1'), 4);
    key.set(addressBytes('fd00::1'), 20);
    key.writeUInt16LE(80, 36);
    key.writeUInt16LE(443, 38);
    key.set([6, 6], 40);
    const total = Buffer.alloc(40);
    for (const [i, value] of [10n, 11n, 12n, 13n].entries()) total.writeBigUInt64LE(value, 8 * i);
    total.writeUInt32LE(0x12, 32);
    const flow = {
      ...{ sliver: 7, family: 6, source: '10.0.0.1', destination: 'fd00::1', protocol: 6 },
      ...{ sourcePort: 80, destinationPort: 443, tcpFlags: 0x12, first: 10n, last: 11n, packets: 12, bytes: 13 },
    };
    assert.deepEqual(parseFlow(key, 0, total, 0), flow);
    key[40] = REST;
    assert.deepEqual(parseFlow(key, 0, total, 0), { ...flow, protocol: REST, source: '', destination: '' });
  });

  it('is a BPF file system, where one is mounted just there', () => {
    const mountinfo =
      '36 1 0:32 / /run/slice/bpf rw shared:1 - bpf bpf rw,mode=700\n37 1 0:33 / /run rw - tmpfs tmpfs rw\n';
    assert.ok(isBpffs(mountinfo, '/run/slice/bpf'));
    assert.ok(!isBpffs(mountinfo, '/run/slice') && !isBpffs(mountinfo, '/run'));
  });
});
