/** Every name of ours in tc and nftables, and the strict patterns that anything must match before it goes there. */
import { SocketAddress, isIPv4, isIPv6 } from 'node:net';

/** Major number of our root qdisc; class ids are `1:<minor>`, in hexadecimal as tc has them. */
export const MAJOR = 1;
/** HTB's r2q has no effect where every class has a quantum, and survives restarts: it marks a root qdisc as ours. */
export const MARK_R2Q = 33_080;

/** The line itself. */
export const CLASS_LINE = 0x1;
/** The node's own traffic: whatever is in no other class. */
export const CLASS_NODE = 0x2;
/** All slivers together. */
export const CLASS_SLIVERS = 0x10;
/** What slivers send to destinations that the owner exempts from the limit of all. */
export const CLASS_EXEMPT = 0x20;
/** Minors of slivers; the other half of all is their second classes. */
export const FIRST_SLIVER_CLASS = 0x100;
export const LAST_SLIVER_CLASS = 0x7ffe;
const EXEMPT_BIT = 0x8000;

/** The nftables table that carries our mark by its name. */
export const TABLE = 'inet slice_operator';

export function isSliverClass(minor: number): boolean {
  return Number.isInteger(minor) && minor >= FIRST_SLIVER_CLASS && minor <= LAST_SLIVER_CLASS;
}

/** The second class of a sliver: for what it sends to exempt destinations. */
export function exemptClass(minor: number): number {
  return minor | EXEMPT_BIT;
}

/** `1:101` for 0x101. */
export function classIdText(minor: number): string {
  return `${MAJOR.toString(16)}:${minor.toString(16)}`;
}

/** The minor of `1:101`; undefined for ids that are not below our root. */
export function parseClassId(text: string): number | undefined {
  const match = /^([0-9a-f]+):([0-9a-f]+)$/.exec(text);
  return match?.[2] && parseInt(match[1]!, 16) === MAJOR ? parseInt(match[2], 16) : undefined;
}

/** What tc may be given as an interface: narrower than the kernel, which takes nearly anything. */
export function isInterfaceName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(text);
}

/** An address as nftables prints it, and its family; undefined for anything that is no plain address of a pod. */
export function parseAddress(text: string): { family: 'v4' | 'v6'; address: string } | undefined {
  if (isIPv4(text)) return { family: 'v4', address: text };
  if (!isIPv6(text) || text.includes('%') || /^::ffff:/i.test(text)) return undefined;
  return { family: 'v6', address: new SocketAddress({ address: text, family: 'ipv6' }).address };
}
