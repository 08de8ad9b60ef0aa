/** Where single pods are in the cgroup tree, for those who ask for one at a time. */
import { type CgroupTree, findPods, openTree, type TreeOptions } from './cpu/cgroups.ts';
import { existsSync } from 'node:fs';
import { isRunning, isStarted } from './processes.ts';

export interface PodCgroups {
  /** The pod's directory in the CPU tree; undefined while it has none. */
  directoryOf(podUid: string): string | undefined;
  /** Whether the pod has processes. */
  isRunning(podUid: string): boolean;
  /** Whether the pod's container is there and is no more in the hands of the runtime. */
  hasStarted(podUid: string): boolean;
  /** The version of the tree that has the CPU controller; undefined while the kubelet has no pods here. */
  version(): 1 | 2 | undefined;
}

/** Looks the tree up once, and again when a pod is not where it was. */
export function podCgroups(options: TreeOptions): PodCgroups {
  let tree: CgroupTree | undefined;
  const open = (): CgroupTree | undefined => {
    try {
      tree ??= openTree(options);
    } catch {
      // no kubelet has made a pod here yet
    }
    return tree;
  };
  const paths = new Map<string, string>();
  const started = new Set<string>();
  const find = (uid: string): string | undefined => {
    const known = paths.get(uid);
    if (known !== undefined && existsSync(known)) return known;
    const at = open();
    const path = at && findPods(at).get(uid)?.path;
    const directory = path === undefined ? undefined : at!.directory('cpu', path);
    if (directory === undefined) paths.delete(uid);
    else paths.set(uid, directory);
    return directory;
  };
  return {
    directoryOf: find,
    isRunning: (uid) => {
      const directory = find(uid);
      return directory !== undefined && isRunning(directory);
    },
    hasStarted: (uid) => {
      const directory = find(uid);
      if (directory === undefined) started.delete(uid);
      else if (!started.has(uid) && isStarted(directory)) started.add(uid);
      return started.has(uid);
    },
    version: () => open()?.version('cpu'),
  };
}
