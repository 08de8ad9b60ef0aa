/** Reads and writes the CPU files of pods' cgroups: the same few values under the names of v1 and of v2. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupTree, type PodCgroup, findPods } from './cgroups.ts';
import type { CpuWrite, ObservedCpu, ObservedPod, Quota } from './plan.ts';

/** The files that we keep, by which a change by somebody else is noticed. */
export const WEIGHT_FILES: readonly string[] = ['cpu.shares', 'cpu.weight', 'cpu.cfs_quota_us', 'cpu.max'];

/** One file to write: absolute path and content. */
export interface FileWrite {
  path: string;
  content: string;
}

/** What the kernel has now. A pod that vanishes while it is read is left out. */
export function observeCpu(tree: CgroupTree): { observed: ObservedCpu; cgroups: Map<string, PodCgroup> } {
  const cgroups = findPods(tree);
  const version = tree.version('cpu') ?? 1;
  const pods: ObservedPod[] = [];
  for (const { uid, parent, path } of cgroups.values()) {
    const directory = tree.directory('cpu', path)!;
    try {
      pods.push({ uid, parent, weight: readWeight(directory, version), quota: readQuota(directory, version) });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  const weightAt = (path: string | undefined): number => {
    const directory = path === undefined ? undefined : tree.directory('cpu', path);
    return directory === undefined ? 1 : readWeight(directory, version);
  };
  const kubepodsWeight = weightAt(tree.kubepods);
  return { observed: { version, kubepodsWeight, burstableWeight: weightAt(tree.burstable), pods }, cgroups };
}

/** The files that one planned write means, in the order in which the kernel takes them. */
export function filesOf(write: CpuWrite, directory: string, version: 1 | 2): FileWrite[] {
  const files: FileWrite[] = [];
  const file = (name: string, content: string): void => void files.push({ path: join(directory, name), content });
  if (write.weight !== undefined) file(version === 1 ? 'cpu.shares' : 'cpu.weight', String(write.weight));
  if (write.quota) {
    const { max, period } = write.quota;
    if (version === 2) file('cpu.max', `${max ?? 'max'} ${period}`);
    else {
      file('cpu.cfs_period_us', String(period));
      file('cpu.cfs_quota_us', String(max ?? -1));
    }
  }
  return files;
}

/** Writes one cgroup file; false where its cgroup is gone, which is the end of a pod and no error. */
export function writeFile({ path, content }: FileWrite): boolean {
  try {
    writeFileSync(path, content);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function readWeight(directory: string, version: 1 | 2): number {
  return Number(readFileSync(join(directory, version === 1 ? 'cpu.shares' : 'cpu.weight'), 'utf8'));
}

function readQuota(directory: string, version: 1 | 2): Quota {
  if (version === 2) {
    const [max, period] = readFileSync(join(directory, 'cpu.max'), 'utf8').trim().split(' ');
    return { max: max === 'max' ? undefined : Number(max), period: Number(period) };
  }
  const max = Number(readFileSync(join(directory, 'cpu.cfs_quota_us'), 'utf8'));
  const period = Number(readFileSync(join(directory, 'cpu.cfs_period_us'), 'utf8'));
  return { max: max < 0 ? undefined : max, period };
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV';
}
