/** Keeps memory and process limits in the pods' cgroups, under the names of v1 and of v2, and open files at each process. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupTree, findPods, openTree, type PodCgroup, type TreeOptions } from '../cpu/cgroups.ts';
import type { Desired, Enforcer, EnforcerReport, Problem, Sliver } from '../sliver.ts';
import { processesOf } from '../processes.ts';
import { planOpenFiles, readOpenFiles, writeOpenFiles } from './openfiles.ts';
import { type LimitKind, type ObservedLimits, planLimits } from './plan.ts';

const FILES: Readonly<Record<LimitKind, { controller: string; name: Readonly<Record<1 | 2, string>> }>> = {
  memory: { controller: 'memory', name: { 1: 'memory.limit_in_bytes', 2: 'memory.max' } },
  processes: { controller: 'pids', name: { 1: 'pids.max', 2: 'pids.max' } },
};

/** v1 has no word for no limit: it reads back as the largest multiple of a page. */
const V1_UNLIMITED = 2 ** 62;

/** The enforcer of limits. Nothing is put back when it goes: the cgroups go with their pods. */
export function createLimitsEnforcer(options: TreeOptions = {}): Enforcer {
  return {
    name: 'limits',

    async enforce({ slivers }: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      signal.throwIfAborted();
      if (slivers.length === 0) return { writes: 0, problems: [] };
      const tree = openTree(options);
      const pods = findPods(tree);
      const observed = new Map<string, ObservedLimits>();
      for (const { id } of slivers) {
        const pod = pods.get(id);
        if (pod) observed.set(id, { memory: read(tree, pod, 'memory'), processes: read(tree, pod, 'processes') });
      }
      const problems: Problem[] = [];
      let writes = 0;
      for (const { sliver, kind, value } of planLimits(slivers, observed, kubeletLimit(tree, pods, slivers))) {
        const path = fileOf(tree, pods.get(sliver)!, kind)!;
        try {
          writeFileSync(path, Number.isFinite(value) ? String(value) : noLimit(tree, kind));
          writes++;
        } catch (error) {
          if (isGone(error)) continue;
          // v1 refuses a limit below what is in use and can't be reclaimed: the next pass tries again.
          problems.push({ sliver, reason: 'LimitNotSet', message: `${path}: ${(error as Error).message}` });
        }
      }
      for (const { id, amounts } of slivers) {
        const pod = amounts.openFiles === undefined ? undefined : pods.get(id);
        const directory = pod && tree.directory('pids', pod.path);
        if (directory === undefined) continue;
        try {
          writes += limitOpenFiles(directory, amounts.openFiles!);
        } catch (error) {
          problems.push({ sliver: id, reason: 'LimitNotSet', message: (error as Error).message });
        }
      }
      return { writes, problems };
    },

    async release(): Promise<void> {},
  };
}

/** How many processes had another limit. */
function limitOpenFiles(directory: string, granted: number): number {
  let writes = 0;
  for (const pid of processesOf(directory)) {
    const has = readOpenFiles(pid);
    const wanted = has && planOpenFiles(has, granted);
    if (wanted && writeOpenFiles(pid, wanted)) writes++;
  }
  return writes;
}

function fileOf(tree: CgroupTree, pod: PodCgroup, kind: LimitKind): string | undefined {
  const { controller, name } = FILES[kind];
  const directory = tree.directory(controller, pod.path);
  return directory && join(directory, name[tree.version(controller) ?? 1]);
}

function read(tree: CgroupTree, pod: PodCgroup, kind: LimitKind): number | undefined {
  const path = fileOf(tree, pod, kind);
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    // the controller is not enabled for pods, or the pod is gone
    if (isGone(error)) return undefined;
    throw error;
  }
  const value = text === 'max' ? Infinity : Number(text);
  return value >= V1_UNLIMITED ? Infinity : value;
}

/** What the kubelet's podPidsLimit is: the most that a pod has which is no sliver. All of them got the same. */
function kubeletLimit(
  tree: CgroupTree,
  pods: ReadonlyMap<string, PodCgroup>,
  slivers: readonly Sliver[],
): number | undefined {
  if (slivers.every(({ amounts }) => amounts.processes === undefined)) return undefined;
  const ours = new Set(slivers.map(({ id }) => id));
  const limits = [...pods].flatMap(([uid, pod]) => (ours.has(uid) ? [] : (read(tree, pod, 'processes') ?? [])));
  return limits.length > 0 ? Math.max(...limits) : undefined;
}

function noLimit(tree: CgroupTree, kind: LimitKind): string {
  return kind === 'memory' && tree.version('memory') === 1 ? '-1' : 'max';
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}
