/** A node's cgroups: one in each hierarchy of this machine, v1, v2 or both. Never touches a cgroup of anybody else. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatCpuList } from './cpus.ts';
import { until } from './progress.ts';

/** One mounted cgroup file system. */
export interface Hierarchy {
  mountPoint: string;
  type: 'cgroup' | 'cgroup2';
  /** As mount(8) takes them: `cpu,cpuacct`, `none,name=systemd`, `-` for v2. */
  options: string;
}

const CONTROLLERS = [
  'blkio',
  'cpu',
  'cpuacct',
  'cpuset',
  'devices',
  'freezer',
  'hugetlb',
  'memory',
  'net_cls',
  'net_prio',
  'perf_event',
  'pids',
  'rdma',
  'misc',
];

/** Reads the cgroup mounts out of /proc/self/mountinfo; a hierarchy mounted twice counts once. */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  for (const line of mountinfo.split('\n')) {
    const [mount, superBlock] = line.split(' - ').map((half) => half.split(' '));
    const type = superBlock?.[0];
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const flags = superBlock![2]!.split(',');
    const name = flags.find((flag) => flag.startsWith('name='));
    const controllers = flags.filter((flag) => CONTROLLERS.includes(flag)).join(',');
    const options = type === 'cgroup2' ? '-' : name === undefined ? controllers : `none,${name}`;
    if (!found.has(options)) found.set(options, { mountPoint: mount![4]!, type, options });
  }
  return [...found.values()];
}

export const hierarchies = (): Hierarchy[] => parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));

/** Only v2: the controllers are in the one tree, and a cgroup with children that have some holds no process itself. */
export const isUnified = (all: readonly Hierarchy[]): boolean => all.every(({ type }) => type === 'cgroup2');

/** The CPUs that a cgroup of ours may be given. */
export function machineCpus(): string {
  const cpuset = hierarchies().find(({ options }) => options.split(',').includes('cpuset'));
  return readFileSync(cpuset ? join(cpuset.mountPoint, 'cpuset.cpus') : '/sys/devices/system/cpu/online', 'utf8');
}

/** Makes `parent/node` in every hierarchy, with the node's CPUs. Returns what node.sh reads: a line for each hierarchy. */
export function createNodeCgroups(parent: string, node: string, cpus: readonly number[]): string {
  const all = hierarchies();
  for (const { mountPoint, options, type } of all) {
    const top = join(mountPoint, parent);
    const own = join(top, node);
    mkdirSync(own, { recursive: true });
    if (options.split(',').includes('cpuset')) {
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const inherited = readFileSync(join(mountPoint, file), 'utf8');
        writeFileSync(join(top, file), inherited); // v1: a new cgroup has no CPU and no memory node at all
        writeFileSync(join(own, file), file === 'cpuset.cpus' ? formatCpuList(cpus) : inherited);
      }
    }
    if (type === 'cgroup2' && isUnified(all)) {
      enableControllers(mountPoint);
      enableControllers(top);
      const file = join(own, 'cpuset.cpus');
      if (existsSync(file)) writeFileSync(file, formatCpuList(cpus)); // a kernel for a single CPU has no cpusets
    }
  }
  return all
    .map((one) => `${join(one.mountPoint, parent, node)} ${one.mountPoint} ${one.type} ${one.options}\n`)
    .join('');
}

function enableControllers(cgroup: string): void {
  const available = readFileSync(join(cgroup, 'cgroup.controllers'), 'utf8').trim().split(' ').filter(Boolean);
  writeFileSync(join(cgroup, 'cgroup.subtree_control'), available.map((name) => `+${name}`).join(' '));
}

/** On v2 only: moves the node's first processes into leaves, so that its own root can hand controllers to kubepods. */
export function freeNodeRoot(parent: string, node: string, supervisor: number, init: number): void {
  const all = hierarchies();
  if (!isUnified(all)) return;
  const own = join(all[0]!.mountPoint, parent, node);
  for (const [leaf, pid] of [
    [join(own, '..', `${node}-supervisor`), supervisor],
    [join(own, 'init'), init],
  ] as const) {
    mkdirSync(leaf, { recursive: true });
    writeFileSync(join(leaf, 'cgroup.procs'), String(pid));
  }
  enableControllers(own);
}

function descendants(cgroup: string): string[] {
  if (!existsSync(cgroup)) return [];
  const children = readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap(({ name }) => descendants(join(cgroup, name))), cgroup];
}

/** Removes `path` below every hierarchy; its processes must have been killed, but may still be dying. */
export async function removeCgroups(path: string): Promise<void> {
  const roots = hierarchies().map(({ mountPoint }) => join(mountPoint, path));
  const left = () => roots.flatMap(descendants);
  const removeAll = () => {
    for (const cgroup of left()) {
      try {
        rmdirSync(cgroup);
      } catch {
        // busy: a process in it has not ended yet, or ENOENT: gone meanwhile
      }
    }
    return left().length === 0;
  };
  await until(`removal of cgroups ${path}`, 60_000, removeAll, () => left().join('\n'));
}
