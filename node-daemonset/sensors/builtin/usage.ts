/** What the slivers' cgroups count, under the names of v1 and of v2. */
import { join } from 'node:path';
import { type CgroupTree, findPods, openTree, readCpuTime, type TreeOptions } from '../../cpu/cgroups.ts';
import { readOr } from '../../processes.ts';
import type { CgroupUsage } from './slivers.ts';

/** Of these pods, as far as they have cgroups; empty where no kubelet has made one yet. */
export function readUsage(uids: readonly string[], options: TreeOptions): Map<string, CgroupUsage> {
  const usage = new Map<string, CgroupUsage>();
  if (uids.length === 0) return usage;
  let tree: CgroupTree;
  try {
    tree = openTree(options);
  } catch {
    return usage;
  }
  const pods = findPods(tree);
  for (const uid of uids) {
    const pod = pods.get(uid);
    if (pod) usage.set(uid, usageOf(tree, pod.path));
  }
  return usage;
}

/** ns of CPU that each of these pods used; what has no cgroup is missing. */
export function readCpuTimes(uids: readonly string[], options: TreeOptions): Map<string, number> {
  const tree = openTree(options);
  const pods = findPods(tree);
  const times = uids.flatMap((uid) => {
    const pod = pods.get(uid);
    const time = pod && readCpuTime(tree, pod.path);
    return time === undefined ? [] : [[uid, time] as const];
  });
  return new Map(times);
}

function usageOf(tree: CgroupTree, path: string): CgroupUsage {
  const text = (controller: string, v1: string, v2: string): string => {
    const directory = tree.directory(controller, path);
    return directory === undefined ? '' : readOr(join(directory, tree.version(controller) === 1 ? v1 : v2), '');
  };
  const number = (value: string | undefined): number | undefined =>
    value === undefined || value.trim() === '' || !Number.isFinite(Number(value)) ? undefined : Number(value);
  const stat = text('cpu', 'cpu.stat', 'cpu.stat');
  const field = (name: string): number | undefined => number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1]);
  const micros = field('throttled_usec');
  return {
    cpuTime: readCpuTime(tree, path),
    throttled: field('nr_throttled'),
    throttledTime: micros === undefined ? field('throttled_time') : micros * 1_000,
    memory: number(text('memory', 'memory.usage_in_bytes', 'memory.current')),
    processes: number(text('pids', 'pids.current', 'pids.current')),
  };
}
