/**
 * Where the kubelet keeps its pods in the cgroup trees: found in mountinfo, never assumed. Knows v1, v2 and hybrid
 * hosts, the cgroupfs and systemd drivers, and nodes that live below a prefix of another host's tree.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The kubelet's three kinds of pods, each with its own place in the tree. */
export type Parent = 'guaranteed' | 'burstable' | 'besteffort';

export interface PodCgroup {
  /** The pod's uid; of a static pod, the hash of its manifest. */
  uid: string;
  parent: Parent;
  /** Relative to the root of any controller's tree, such as `kubepods/burstable/pod1234`. */
  path: string;
}

/** One cgroup file system in this process's mount namespace. */
export interface CgroupMount {
  point: string;
  version: 1 | 2;
  /** v1: what the mount's options name, among them its controllers; v2: empty, the tree itself says it. */
  options: readonly string[];
}

/** No kubelet has pods here, or more than one has. */
export class CgroupError extends Error {
  override readonly name = 'CgroupError';
}

/** The kubelet's part of every cgroup tree of this machine. */
export interface CgroupTree {
  driver: 'cgroupfs' | 'systemd';
  /** Relative path of the directory that holds every pod. */
  kubepods: string;
  /** Relative path of the parent of Burstable pods, among them every sliver; undefined until the kubelet made it. */
  burstable: string | undefined;
  /** Which version of cgroups has the controller; `unified` is always 2; undefined where no tree has it. */
  version(controller: string): 1 | 2 | undefined;
  /** Absolute path of a relative one in the controller's tree; undefined where no tree has the controller. */
  directory(controller: string, path: string): string | undefined;
}

export interface TreeOptions {
  /** The text of a mountinfo file; this process's own by default. */
  mountinfo?: string;
  /** Where the node's tree begins, seen from here; '' by default. */
  prefix?: string;
}

/** Every cgroup mount of a mountinfo file (proc_pid_mountinfo(5)). */
export function parseMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line): CgroupMount[] => {
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4];
    const [type, , options] = right?.split(' ') ?? [];
    if (!point || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    const unescaped = point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    const version = type === 'cgroup2' ? 2 : 1;
    return [{ point: unescaped, version, options: version === 1 ? (options ?? '').split(',') : [] }];
  });
}

/**
 * Finds the kubelet's tree by its CPU controller. Throws CgroupError where there is none yet, or where two lie side by
 * side and the prefix does not say whose this is.
 */
export function openTree({ mountinfo, prefix = '' }: TreeOptions = {}): CgroupTree {
  const mounts = parseMounts(mountinfo ?? readFileSync('/proc/self/mountinfo', 'utf8'));
  // The same tree may be mounted twice, the container's own and the host's: the one that shows the pods is the host's.
  const best = (candidates: CgroupMount[]): CgroupMount | undefined =>
    candidates.find(({ point }) => findKubepods(point, prefix).length > 0) ?? candidates[0];
  const mountOf = (controller: string): CgroupMount | undefined => {
    const v1 = mounts.filter((mount) => mount.version === 1 && mount.options.includes(controller));
    return best(v1.length > 0 ? v1 : mounts.filter((mount) => mount.version === 2));
  };
  const cpu = mountOf('cpu');
  if (!cpu) throw new CgroupError('no cgroup tree with a CPU controller is mounted: mount /sys/fs/cgroup');
  const found = findKubepods(cpu.point, prefix);
  const [kubepods] = found;
  if (kubepods === undefined || found.length > 1) {
    const what = found.length > 1 ? `more than one kubelet's pods (${found.join(', ')})` : "no kubelet's pods";
    throw new CgroupError(`${what} in ${join(cpu.point, prefix)}: set the prefix of this node's cgroups`);
  }
  const at = (controller: string): CgroupMount | undefined =>
    controller === 'unified' ? best(mounts.filter((mount) => mount.version === 2)) : mountOf(controller);
  const roots = new Map<string, CgroupMount | undefined>([['cpu', cpu]]);
  const root = (controller: string): CgroupMount | undefined => {
    if (!roots.has(controller)) roots.set(controller, at(controller));
    return roots.get(controller);
  };
  const burstable = directories(join(cpu.point, kubepods)).find((name) => /(^|-)burstable(\.slice)?$/.test(name));
  return {
    driver: kubepods.endsWith('.slice') ? 'systemd' : 'cgroupfs',
    kubepods,
    burstable: burstable && join(kubepods, burstable),
    version: (controller) => root(controller)?.version,
    directory: (controller, path) => {
      const mount = root(controller);
      return mount && join(mount.point, path);
    },
  };
}

/** Every pod that has a cgroup now, by uid. A directory is no proof that the pod still runs. */
export function findPods(tree: CgroupTree): Map<string, PodCgroup> {
  const pods = new Map<string, PodCgroup>();
  const collect = (path: string, parent: Parent): void => {
    for (const name of directories(tree.directory('cpu', path)!)) {
      const kind = /(^|-)(burstable|besteffort)(\.slice)?$/.exec(name)?.[2];
      const uid = /(?:^|-)pod([0-9A-Za-z_-]+?)(?:\.slice)?$/.exec(name)?.[1]?.replaceAll('_', '-');
      if (kind && parent === 'guaranteed') collect(join(path, name), kind as Parent);
      else if (uid) pods.set(uid, { uid, parent, path: join(path, name) });
    }
  };
  collect(tree.kubepods, 'guaranteed');
  return pods;
}

/** CPU time that a cgroup has used, in nanoseconds; undefined where it is gone. */
export function readCpuTime(tree: CgroupTree, path: string): number | undefined {
  try {
    if (tree.version('cpuacct') === 1) {
      return Number(readFileSync(join(tree.directory('cpuacct', path)!, 'cpuacct.usage'), 'utf8'));
    }
    const stat = readFileSync(join(tree.directory('cpu', path)!, 'cpu.stat'), 'utf8');
    return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]) * 1000;
  } catch {
    return undefined;
  }
}

/**
 * `kubepods` at the prefix, else one level below: a kubelet with a cgroup root of its own, as in kind. Deeper lie other
 * nodes of a shared test machine, which are never to be taken for this one.
 */
function findKubepods(point: string, prefix: string): string[] {
  const isKubepods = (name: string): boolean => /^(.+-)?kubepods\.slice$|^kubepods$/.test(name);
  const top = directories(join(point, prefix));
  const here = top.filter(isKubepods);
  if (here.length > 0) return here.map((name) => join(prefix, name));
  return top.flatMap((outer) =>
    directories(join(point, prefix, outer))
      .filter(isKubepods)
      .map((name) => join(prefix, outer, name)),
  );
}

function directories(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
