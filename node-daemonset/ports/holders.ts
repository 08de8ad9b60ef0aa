/** Who has a socket: the first process with a descriptor of it, and the pod that it is in. */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readOr } from '../processes.ts';

/** The process that holds a socket. */
export interface Holder {
  pid: number;
  /** What it calls itself, made printable: a tenant may have chosen it. */
  name: string;
  /** The uid of its pod; undefined where it is in none. */
  pod: string | undefined;
}

/** A node with more descriptors than that tells us that a port is in use, not by whom. */
const MAX_DESCRIPTORS = 300_000;

/** Holders by inode, of those that were found. Reads every process's descriptors: only for ports that are in use. */
export function findHolders(inodes: ReadonlySet<number>, proc = '/proc'): Map<number, Holder> {
  const found = new Map<number, Holder>();
  let left = MAX_DESCRIPTORS;
  for (const pid of list(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    const directory = join(proc, pid, 'fd');
    for (const descriptor of list(directory)) {
      if (left-- <= 0 || found.size === inodes.size) return found;
      const inode = Number(/^socket:\[(\d+)\]$/.exec(linkOr(join(directory, descriptor)))?.[1]);
      if (inodes.has(inode) && !found.has(inode)) found.set(inode, describe(proc, Number(pid)));
    }
  }
  return found;
}

function describe(proc: string, pid: number): Holder {
  const name = readOr(join(proc, String(pid), 'comm'), '').trimEnd();
  const printable = name.replace(/[^\x20-\x7e]/g, '?').slice(0, 32);
  return { pid, name: printable || 'a process', pod: podOf(readOr(join(proc, String(pid), 'cgroup'), '')) };
}

/** The pod uid in a process's cgroup paths, with either of the kubelet's drivers. */
export function podOf(cgroups: string): string | undefined {
  const [, uid] = /[/-]pod([0-9a-f]{8}[0-9a-f_-]{24,28})(?:\.slice|\/|$)/m.exec(cgroups) ?? [];
  return uid?.replaceAll('_', '-');
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
