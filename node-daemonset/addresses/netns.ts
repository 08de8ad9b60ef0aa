/** A process's addresses and counters, read through /proc: no netlink and no entering of its namespace needed. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readOr } from '../processes.ts';

/** A pod's network, as one of its processes sees it. */
export interface PodNetwork {
  /** The namespace's identity, such as `net:[4026532281]`. */
  namespace: string;
  /** Global addresses, IPv4 and IPv6, sorted. */
  addresses: string[];
}

/** More addresses than this no pod has: a tenant could otherwise fill our maps. */
const MAX_ADDRESSES = 16;

/** undefined where the process is gone. */
export function readNetwork(proc: string, pid: number | 'self'): PodNetwork | undefined {
  const directory = join(proc, String(pid));
  let namespace: string;
  try {
    namespace = readlinkSync(join(directory, 'ns/net'));
  } catch {
    return undefined;
  }
  const v4 = parseFibTrie(readOr(join(directory, 'net/fib_trie'), ''));
  const v6 = parseIfInet6(readOr(join(directory, 'net/if_inet6'), ''));
  return { namespace, addresses: [...v4, ...v6].sort().slice(0, MAX_ADDRESSES) };
}

/** When a process was started, in clock ticks since the boot; Infinity where it is gone. */
export function startTime(proc: string, pid: number): number {
  const stat = readOr(join(proc, String(pid), 'stat'), '');
  // The second field is the program's name, which may hold anything.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? Infinity);
}

/** Bytes that left the namespace by any interface but loopback; undefined where the process is gone. */
export function readBytesSent(proc: string, pid: number): number | undefined {
  const text = readOr(join(proc, String(pid), 'net/dev'), undefined);
  return text === undefined ? undefined : parseNetDev(text);
}

/** The namespace's own IPv4 addresses without loopback and link-local ones. */
export function parseFibTrie(text: string): string[] {
  const found = new Set<string>();
  let leaf = '';
  for (const line of text.split('\n')) {
    leaf = /\|-- ([0-9.]+)$/.exec(line)?.[1] ?? leaf;
    if (line.endsWith('/32 host LOCAL') && !leaf.startsWith('127.') && !leaf.startsWith('169.254.')) found.add(leaf);
  }
  return [...found];
}

const SCOPE_GLOBAL = '00';

/** The namespace's global IPv6 addresses, in the form that nftables and people use. */
export function parseIfInet6(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [hex, , , scope, , device] = line.trim().split(/\s+/);
    if (!hex || !/^[0-9a-f]{32}$/.test(hex) || scope !== SCOPE_GLOBAL || device === 'lo') return [];
    return [compress(hex.match(/.{4}/g)!.map((group) => parseInt(group, 16).toString(16)))];
  });
}

export function parseNetDev(text: string): number {
  return text.split('\n').reduce((sum, line) => {
    const [, name, counters] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    return name === undefined || name === 'lo' ? sum : sum + Number(counters!.trim().split(/\s+/)[8] ?? 0);
  }, 0);
}

/** RFC 5952: the longest run of two zero groups or more becomes `::`. */
function compress(groups: readonly string[]): string {
  const runs = [...groups.join(':').matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)];
  const longest = runs.reduce<string>((best, [run]) => (run.length > best.length ? run : best), '');
  const text = groups.join(':');
  if (longest === '') return text;
  const at = runs.find(([run]) => run === longest)!.index;
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`;
}
