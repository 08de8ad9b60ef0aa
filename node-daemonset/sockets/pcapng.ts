/**
 * pcapng (draft-ietf-opsawg-pcapng): what a sniffer's stream is made of. Any tool that reads it can tell direction, drops
 * and slice; whoever cannot, such as a plain `tcpdump -r -`, still reads the packets.
 */

export interface Captured {
  /** Nanoseconds since the epoch. */
  time: bigint;
  direction: 'in' | 'out';
  /** From the IP header on, at most the bytes that the sniffer keeps. */
  data: Uint8Array;
  /** Bytes of the whole packet from the IP header on. */
  length: number;
  /** Packets lost since the one before. */
  dropped: number;
  /** Name of the slice that sent it. */
  slice?: string;
}

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
/** Packets begin with an IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101;
const OPTION_COMMENT = 1;
const OPTION_TSRESOL = 9;
const OPTION_FLAGS = 2;
const OPTION_DROPCOUNT = 4;

/** What a stream begins with; `snap`: the most bytes that are kept of a packet. */
export function streamHeader(snap: number): Buffer {
  const section = Buffer.alloc(16);
  section.writeUInt32LE(BYTE_ORDER, 0);
  section.writeUInt16LE(1, 4);
  section.writeBigInt64LE(-1n, 8);
  const description = Buffer.alloc(8);
  description.writeUInt16LE(LINKTYPE_RAW, 0);
  description.writeUInt32LE(snap, 4);
  const nanoseconds = option(OPTION_TSRESOL, Buffer.from([9]));
  return Buffer.concat([block(SECTION, [section]), block(INTERFACE, [description, nanoseconds, END])]);
}

export function packetBlock({ time, direction, data, length, dropped, slice }: Captured): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(Number(time >> 32n), 4);
  fixed.writeUInt32LE(Number(time & 0xffffffffn), 8);
  fixed.writeUInt32LE(data.length, 12);
  fixed.writeUInt32LE(length, 16);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(direction === 'in' ? 1 : 2);
  const options = [option(OPTION_FLAGS, flags)];
  if (dropped > 0) {
    const count = Buffer.alloc(8);
    count.writeBigUInt64LE(BigInt(dropped));
    options.push(option(OPTION_DROPCOUNT, count));
  }
  if (slice !== undefined) options.push(option(OPTION_COMMENT, Buffer.from(slice)));
  return block(PACKET, [fixed, padded(data), ...options, END]);
}

const END = Buffer.alloc(4);

function option(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

function padded(data: Uint8Array): Uint8Array {
  const rest = data.length % 4;
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(4 - rest)]);
}

function block(type: number, parts: readonly Uint8Array[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 12);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, ...parts, head.subarray(4)]);
}
