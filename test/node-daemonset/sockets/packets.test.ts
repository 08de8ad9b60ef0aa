import assert from 'node:assert/strict';
import { addressKey, isNodes, readPacket } from '../../../node-daemonset/sockets/packets.ts';
import { packetBlock, streamHeader } from '../../../node-daemonset/sockets/pcapng.ts';

const bytes = (key: string): string => Buffer.from(key, 'latin1').toString('hex');

describe('a sniffed packet', () => {
  it('is the node’s where the side that has the port has its address', () => {
    const data = Buffer.alloc(20);
    data[0] = 0x45;
    Buffer.from([10, 0, 0, 1, 10, 0, 0, 2]).copy(data, 12);
    const packet = { time: 0n, length: 20, data };
    const node = new Set([addressKey('10.0.0.1')]);
    assert.equal(isNodes({ ...packet, direction: 'out' }, node), true);
    assert.equal(isNodes({ ...packet, direction: 'in' }, node), false);
    assert.equal(isNodes({ ...packet, direction: 'in' }, new Set([addressKey('10.0.0.2')])), true);
  });

  it('has addresses as they are written', () => {
    assert.equal(bytes(addressKey('10.77.0.1')), '0a4d0001');
    assert.equal(bytes(addressKey('fd77::1')), 'fd770000000000000000000000000001');
    assert.equal(bytes(addressKey('fe80::1:2%eth0')), 'fe800000000000000000000000010002');
    assert.equal(bytes(addressKey('::')), '0'.repeat(32));
    assert.equal(bytes(addressKey('::ffff:1.2.3.4')), '00000000000000000000ffff01020304');
    assert.equal(bytes(addressKey('1:2:3:4:5:6:7:8')), '00010002000300040005000600070008');
  });

  it('has its time and true length from beside it', () => {
    const address = Buffer.alloc(20);
    address[10] = 4;
    const control = Buffer.alloc(32 + 40);
    control.writeBigUInt64LE(32n, 0);
    control.writeInt32LE(1, 8);
    control.writeInt32LE(35, 12);
    control.writeBigInt64LE(5n, 16);
    control.writeBigInt64LE(7n, 24);
    control.writeBigUInt64LE(36n, 32);
    control.writeInt32LE(263, 40);
    control.writeInt32LE(8, 44);
    control.writeUInt32LE(1500, 32 + 20);
    const { time, length, direction } = readPacket({ address, control, data: Buffer.alloc(128) });
    assert.deepEqual({ time, length, direction }, { time: 5_000_000_007n, length: 1500, direction: 'out' });
  });
});

describe('pcapng', () => {
  it('is made of blocks that say their length at both ends', () => {
    const packet = { time: 1n << 40n, direction: 'in', data: Buffer.from('abcde'), length: 99, dropped: 3 } as const;
    const stream = Buffer.concat([streamHeader(128), packetBlock(packet), packetBlock({ ...packet, slice: 'a/b' })]);
    const types: number[] = [];
    let at = 0;
    while (at < stream.length) {
      const size = stream.readUInt32LE(at + 4);
      assert.equal(size % 4, 0);
      assert.equal(stream.readUInt32LE(at + size - 4), size);
      types.push(stream.readUInt32LE(at));
      at += size;
    }
    assert.deepEqual(types, [0x0a0d0d0a, 1, 6, 6]);
    assert.ok(stream.includes('a/b'));
  });
});
