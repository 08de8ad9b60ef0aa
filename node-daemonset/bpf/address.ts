/** Addresses as the programs have them: 16 bytes, IPv4 as ::ffff:a.b.c.d. */
import { isIPv4, SocketAddress } from 'node:net';

/** 16 bytes; IPv4 as ::ffff:a.b.c.d. The text must be an address. */
export function addressBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...text.split('.').map(Number)]);
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
  const [before, after] = [groups(head), groups(tail ?? '')];
  const bytes = Buffer.alloc(16);
  bytes.set(before);
  bytes.set(after, 16 - after.length);
  return bytes;
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** As Node prints it. */
export function addressText(bytes: Buffer): string {
  if (bytes.subarray(0, 12).equals(MAPPED)) return bytes.subarray(12).join('.');
  const address = bytes.toString('hex').replace(/.{4}(?!$)/g, '$&:');
  return new SocketAddress({ address, family: 'ipv6' }).address;
}
