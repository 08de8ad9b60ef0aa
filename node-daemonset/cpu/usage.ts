/** What pods used of the CPU, for those who ask for all of them again and again. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { CgroupError, findPods, openTree, type TreeOptions } from './cgroups.ts';

export interface CpuUsage {
  /** Nanoseconds of CPU time. */
  used: number;
  /** Nanoseconds in which it could not run because its quota was used up; undefined where it was not asked for. */
  throttled: number | undefined;
}

/** A pod whose usage is asked for. */
export interface Metered {
  uid: string;
  /** Whether it has a quota: v1 tells of one in another file, which is dear to read. */
  capped: boolean;
}

export interface CpuMeter {
  /** By uid; pods that are gone are not in it. */
  read(pods: readonly Metered[]): Map<string, CpuUsage>;
  close(): void;
}

/** Open files of one pod. */
interface Files {
  /** cpuacct.usage, or cpu.stat of v2 */
  used: number;
  /** cpu.stat of v1, of a capped pod */
  throttled: number | undefined;
}

/** Keeps the files of the pods of the last reading open, so that the next one is a call a pod. */
export function createCpuMeter(options: TreeOptions): CpuMeter {
  const files = new Map<string, Files>();
  const drop = (uid: string): void => {
    for (const fd of Object.values(files.get(uid) ?? {})) if (fd !== undefined) closeSync(fd as number);
    files.delete(uid);
  };
  return {
    read(pods) {
      const asked = new Map(pods.map((pod) => [pod.uid, pod]));
      for (const [uid, { throttled }] of files) {
        const pod = asked.get(uid);
        if (!pod || (pod.capped && throttled === undefined)) drop(uid);
      }
      const missing = pods.filter(({ uid }) => !files.has(uid));
      if (missing.length > 0) openFiles(options, missing, files);
      const found = new Map<string, CpuUsage>();
      for (const { uid, capped } of pods) {
        const open = files.get(uid);
        const usage = open && readUsage(open, capped);
        if (usage) found.set(uid, usage);
        else drop(uid);
      }
      return found;
    },
    close() {
      for (const uid of files.keys()) drop(uid);
    },
  };
}

function openFiles(options: TreeOptions, pods: readonly Metered[], into: Map<string, Files>): void {
  try {
    const tree = openTree(options);
    const known = findPods(tree);
    const isV1 = tree.version('cpu') === 1 && tree.version('cpuacct') === 1;
    for (const { uid, capped } of pods) {
      const path = known.get(uid)?.path;
      if (path === undefined) continue;
      const stat = join(tree.directory('cpu', path)!, 'cpu.stat');
      const used = openOr(isV1 ? join(tree.directory('cpuacct', path)!, 'cpuacct.usage') : stat);
      if (used !== undefined) into.set(uid, { used, throttled: capped ? openOr(stat) : undefined });
    }
  } catch (error) {
    if (!(error instanceof CgroupError)) throw error; // else the kubelet has made no pod here yet
  }
}

function openOr(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined; // the pod has just ended
  }
}

/** No file that is read here is longer. */
const buffer = Buffer.allocUnsafe(4096);

function readUsage({ used, throttled }: Files, capped: boolean): CpuUsage | undefined {
  try {
    const text = readText(used);
    const isV1 = /^\d/.test(text);
    const stat = !capped || throttled === undefined ? '' : isV1 ? readText(throttled) : text;
    return {
      used: isV1 ? Number(text) : field(text, 'usage_usec') * 1000,
      throttled: stat === '' ? undefined : field(stat, 'throttled_time') + field(stat, 'throttled_usec') * 1000,
    };
  } catch {
    return undefined; // its cgroup is gone
  }
}

function readText(fd: number): string {
  return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
}

/** 0 where it is not there: no kernel has both v1's name and v2's. */
function field(text: string, name: string): number {
  const at = text.indexOf(`${name} `);
  return at < 0 ? 0 : Number.parseInt(text.slice(at + name.length + 1), 10);
}
