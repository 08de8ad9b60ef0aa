/** Packets as a packet socket gives them, and whether a sniffer's owner may see them. */
import type { Captured } from './pcapng.ts';
import type { Received } from './libc.ts';

const PACKET_OUTGOING = 4;
const SOL_SOCKET = 1;
const SCM_TIMESTAMPNS = 35;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;

export type Packet = Pick<Captured, 'time' | 'direction' | 'data' | 'length'>;

/** Reads `struct sockaddr_ll` and the control messages beside a packet (packet(7)); the data is copied. */
export function readPacket({ address, control, data }: Received): Packet {
  let time = 0n;
  let length = data.length;
  for (let at = 0; at + 16 <= control.length;) {
    const size = Number(control.readBigUInt64LE(at));
    const [level, type] = [control.readInt32LE(at + 8), control.readInt32LE(at + 12)];
    if (level === SOL_SOCKET && type === SCM_TIMESTAMPNS) {
      time = control.readBigInt64LE(at + 16) * 1_000_000_000n + control.readBigInt64LE(at + 24);
    }
    if (level === SOL_PACKET && type === PACKET_AUXDATA) length = control.readUInt32LE(at + 20);
    at += Math.max(16, (size + 7) & ~7);
  }
  return { time, direction: address[10] === PACKET_OUTGOING ? 'out' : 'in', data: Buffer.from(data), length };
}

/**
 * Whether the node itself sends or receives it: a port belongs to a slice on the node's addresses, and what pods with
 * addresses of their own do with the same number is no business of the slice's. `addresses` as `addressKey` makes them.
 */
export function isNodes({ data, direction }: Packet, addresses: ReadonlySet<string>): boolean {
  const [at, size] = (data[0] ?? 0) >> 4 === 4 ? [12, 4] : [8, 16];
  const from = direction === 'out' ? at : at + size;
  return addresses.has(Buffer.from(data.subarray(from, from + size)).toString('latin1'));
}

/** The bytes of an IPv4 or IPv6 address, as it stands in a packet. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number)).toString('latin1');
  const [head, tail] = address.split('%')[0]!.split('::');
  const groups = (text: string | undefined): number[] =>
    (text ? text.split(':') : []).flatMap((group) => {
      if (!group.includes('.')) return [parseInt(group, 16)];
      const [a, b, c, d] = group.split('.').map(Number);
      return [(a! << 8) | b!, (c! << 8) | d!];
    });
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff])).toString('latin1');
}
