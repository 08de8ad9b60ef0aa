/** Processes of a pod, by its cgroup. Every read may find its object gone: that is the end of a pod and no error. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** No sliver has cgroups nested deeper than pod, container, and what a container's own init makes of it. */
const MAX_DEPTH = 8;

/** The processes of a cgroup and of those below it, at most so many. */
export function processesOf(directory: string, limit = 4096): number[] {
  const found: number[] = [];
  const collect = (path: string, depth: number): void => {
    if (found.length >= limit || depth > MAX_DEPTH) return;
    for (const line of readOr(join(path, 'cgroup.procs'), '').split('\n')) {
      if (line !== '' && found.length < limit) found.push(Number(line));
    }
    for (const name of directoriesOf(path)) collect(join(path, name), depth + 1);
  };
  collect(directory, 0);
  return found;
}

/** Whether a pod has anything that runs: its directory alone is no proof. */
export function isRunning(directory: string): boolean {
  return processesOf(directory, 1).length > 0;
}

/** Containers of a pod are its sandbox and at least one more; what the runtime runs in them first has its name. */
export function isStarted(directory: string, proc = '/proc'): boolean {
  const containers = directoriesOf(directory).map((name) => processesOf(join(directory, name), 64));
  const running = containers.filter((pids) => pids.length > 0);
  const names = running.flat().map((pid) => readOr(join(proc, String(pid), 'comm'), ''));
  return running.length > 1 && !names.some((name) => /^(runc|crun|youki)\b/.test(name));
}

/** Which signal that ends it waits for a process and is not blocked, by its /proc/<pid>/status: it must be able to take it. */
export function pendingEnd(status: string): 'term' | 'kill' | undefined {
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  const pending = (mask('SigPnd') | mask('ShdPnd')) & ~mask('SigBlk');
  if ((pending & (1n << (9n - 1n))) !== 0n) return 'kill';
  return (pending & (1n << (15n - 1n))) !== 0n ? 'term' : undefined;
}

/** A file's text, or something else where it can't be read. */
export function readOr<T>(path: string, otherwise: T): string | T {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

function directoriesOf(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
