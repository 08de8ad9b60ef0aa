/** Packets in hexadecimal: what a test sends by raw sockets, and what was captured on the other side. */
import { addressBytes, addressText } from '../../node-daemonset/bpf/address.ts';

/** The fields of a captured packet that tests go by; ports are 0 where there are none, `echo` is an ICMP identifier. */
export interface Captured {
  source: string;
  destination: string;
  protocol: number;
  sourcePort: number;
  destinationPort: number;
  echo: number;
  /** What follows the IP header, in hexadecimal: as much of it as was captured. */
  payload: string;
}

export function parseCaptured(line: string): Captured[] {
  return line
    .split(' ')
    .slice(1)
    .map((hex) => parse(Buffer.from(hex, 'hex')));
}

function parse(packet: Buffer): Captured {
  const isV4 = packet[0]! >> 4 === 4;
  const at = isV4 ? (packet[0]! & 15) * 4 : 40;
  const mapped = (bytes: Buffer): Buffer =>
    isV4 ? Buffer.concat([Buffer.from('00000000000000000000ffff', 'hex'), bytes]) : bytes;
  const protocol = packet[isV4 ? 9 : 6]!;
  const hasPorts = protocol === 6 || protocol === 17;
  const isEcho = (protocol === 1 || protocol === 58) && packet.length >= at + 8;
  return {
    source: addressText(mapped(isV4 ? packet.subarray(12, 16) : packet.subarray(8, 24))),
    destination: addressText(mapped(isV4 ? packet.subarray(16, 20) : packet.subarray(24, 40))),
    protocol,
    sourcePort: hasPorts ? packet.readUInt16BE(at) : 0,
    destinationPort: hasPorts ? packet.readUInt16BE(at + 2) : 0,
    echo: isEcho ? packet.readUInt16BE(at + 4) : 0,
    payload: packet.subarray(at).toString('hex'),
  };
}

const u16 = (value: number): string => value.toString(16).padStart(4, '0');

/** A TCP header alone; `flags` 2: SYN. */
export const tcpHeader = (from: number, to: number, flags = 2): string =>
  `${u16(from)}${u16(to)}000000010000000050${flags.toString(16).padStart(2, '0')}ffff00000000`;

export const udpHeader = (from: number, to: number, data = ''): string =>
  `${u16(from)}${u16(to)}${u16(8 + data.length / 2)}0000${data}`;

/** With its checksum; `type` 8 is IPv4's echo request. `data`: whole 16-bit words in hexadecimal. */
export function icmpEcho(type: number, identifier: number, sequence = 1, data = ''): string {
  let sum = (type << 8) + identifier + sequence;
  for (let at = 0; at < data.length; at += 4) sum += Number.parseInt(data.slice(at, at + 4), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return `${type.toString(16).padStart(2, '0')}00${u16(~sum & 0xffff)}${u16(identifier)}${u16(sequence)}${data}`;
}

/** An error of IPv4 about a packet, with its checksum. */
export function icmpError(type: number, quoted: string): string {
  let sum = type << 8;
  for (let at = 0; at < quoted.length; at += 4) sum += Number.parseInt(quoted.slice(at, at + 4).padEnd(4, '0'), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return `${type.toString(16).padStart(2, '0')}00${u16(~sum & 0xffff)}00000000${quoted}`;
}

/** An IPv4 packet for a socket with IP_HDRINCL: the kernel fills in length and checksum. `fragment`: offset and flags. */
export function ipv4Packet(from: string, to: string, protocol: number, payload: string, fragment = 0): string {
  const address = (text: string): string => addressBytes(text).subarray(12).toString('hex');
  return `4500${u16(20 + payload.length / 2)}0001${u16(fragment)}40${protocol.toString(16).padStart(2, '0')}0000${address(from)}${address(to)}${payload}`;
}

/** The same of IPv6; `next`: the number of the payload's first header. */
export function ipv6Packet(from: string, to: string, next: number, payload: string): string {
  const address = (text: string): string => addressBytes(text).toString('hex');
  return `60000000${u16(payload.length / 2)}${next.toString(16).padStart(2, '0')}40${address(from)}${address(to)}${payload}`;
}
