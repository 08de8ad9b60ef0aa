/** IP addresses and prefixes as numbers: strict to read, canonical to write, one form for both families. */
import { isIPv4, isIPv6 } from 'node:net';

/** 16 bytes, most significant first; an IPv4 address is ::ffff:a.b.c.d. */
export type AddressBytes = Uint8Array;

/** All addresses whose first `bits` (of 128; an IPv4 prefix has 96 more than it shows) are those of `bytes`. */
export interface Prefix {
  bytes: AddressBytes;
  bits: number;
}

const V4_BITS = 96;

/** Undefined for anything that is no address; zones (`%eth0`) and other spellings of IPv4 than four decimals are none. */
export function parseAddress(text: string): AddressBytes | undefined {
  if (isIPv4(text)) return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = expandEmbedded(text).split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const words = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
}

/** As RFC 5952 has it; IPv4 as four decimals. */
export function formatAddress(bytes: AddressBytes): string {
  if (isV4(bytes)) return bytes.subarray(12).join('.');
  const words = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let [from, length] = [0, 1];
  for (let begin = 0; begin < 8; begin++) {
    let end = begin;
    while (end < 8 && words[end] === 0) end++;
    if (end - begin > length) [from, length] = [begin, end - begin];
  }
  const hex = (part: number[]): string => part.map((word) => word.toString(16)).join(':');
  return length < 2 ? hex(words) : `${hex(words.slice(0, from))}::${hex(words.slice(from + length))}`;
}

export function isV4(bytes: AddressBytes): boolean {
  return bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0);
}

/** An address or `address/bits`; bits beyond the prefix are cleared. Undefined for anything else. */
export function parsePrefix(text: string): Prefix | undefined {
  const [, address, length] = /^([0-9A-Fa-f:.]{2,45})(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const bytes = address === undefined ? undefined : parseAddress(address);
  if (!bytes) return undefined;
  const shown = isIPv4(address!) ? 32 : 128;
  const bits = length === undefined ? shown : Number(length);
  if (bits > shown) return undefined;
  return masked(bytes, bits + 128 - shown);
}

/** `192.0.2.0/24`; a single address without its length. */
export function formatPrefix({ bytes, bits }: Prefix): string {
  const short = isV4(bytes) && bits >= V4_BITS;
  const length = bits === 128 ? '' : `/${short ? bits - V4_BITS : bits}`;
  return formatAddress(bytes) + length;
}

export function contains({ bytes, bits }: Prefix, address: AddressBytes): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== address[i]) return false;
  const rest = bits & 7;
  return rest === 0 || (bytes[whole]! ^ address[whole]!) >> (8 - rest) === 0;
}

function masked(bytes: AddressBytes, bits: number): Prefix {
  const kept = bytes.map((byte, i) => byte & (0xff << Math.min(8, Math.max(0, 8 * (i + 1) - bits))));
  return { bytes: kept, bits };
}

/** `::ffff:192.0.2.1` with its last four bytes as two groups. */
function expandEmbedded(text: string): string {
  const embedded = /\d+\.\d+\.\d+\.\d+$/.exec(text)?.[0];
  if (embedded === undefined) return text;
  const [a, b, c, d] = embedded.split('.').map(Number) as [number, number, number, number];
  return `${text.slice(0, -embedded.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
