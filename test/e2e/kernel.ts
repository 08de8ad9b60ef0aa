/** What a node's kernel has of its slivers, read with other eyes than the product's: plain files, `tc` and `nft`. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prefix, type Cluster } from '../cluster/config.ts';
import { runInNode } from '../cluster/node.ts';

/** A sliver's HTB class; rates in bits/s. */
export interface HtbClass {
  /** Such as `1:100`. */
  id: string;
  rate: number;
  ceil: number;
}

const UNITS: Readonly<Record<string, number>> = { bit: 1, Kbit: 1e3, Mbit: 1e6, Gbit: 1e9 };

function rateOf(text: string): number {
  const [, value, unit] = /^([\d.]+)([KMG]?bit)$/.exec(text) ?? [];
  return Number(value) * UNITS[unit!]!;
}

/** The classes of slivers on a node's uplink, by id. */
export async function classesOf(cluster: Cluster, node: string): Promise<Map<string, HtbClass>> {
  const shown = await runInNode(cluster, node, ['tc', 'class', 'show', 'dev', 'eth0']);
  const found = shown.matchAll(/^class htb (1:\w+) parent 1:10 .* rate (\S+) ceil (\S+)/gm);
  return new Map([...found].map(([, id, rate, ceil]) => [id!, { id: id!, rate: rateOf(rate!), ceil: rateOf(ceil!) }]));
}

/** Class ids by pod address, as forwarded packets are given them; empty where there is no map. */
export async function addressesOf(cluster: Cluster, node: string): Promise<Map<string, string>> {
  const shown = await runInNode(cluster, node, ['nft', 'list', 'ruleset']);
  const table = /table inet slice_operator \{([\s\S]*?)\n\}/.exec(shown)?.[1] ?? '';
  return new Map([...table.matchAll(/([\da-f.:]+) : (1:\w+)/g)].map(([, address, id]) => [address!, id!]));
}

/** The class that a pod's packets get: nothing where its address has none. */
export async function classOfPod(cluster: Cluster, node: string, address: string): Promise<HtbClass | undefined> {
  const id = (await addressesOf(cluster, node)).get(address);
  return id === undefined ? undefined : (await classesOf(cluster, node)).get(id);
}

/** The directories of a pod in the trees of all controllers, on this machine's own file system. */
function directoriesOf(cluster: Cluster, node: string, uid: string): string[] {
  const below = join(prefix(cluster.name), node, 'kubepods/{.,burstable,besteffort}', `pod${uid}`);
  // beside v1's trees the kubelet leaves empty directories of every pod in the one without controllers
  return globSync(`/sys/fs/cgroup/{.,*}/${below}`).filter((path) => !path.startsWith('/sys/fs/cgroup/unified/'));
}

/** The pod has no cgroup, or none any more. */
export class NoCgroupError extends Error {
  override readonly name = 'NoCgroupError';
}

/** A file of a pod's cgroup by the first name that there is: v1's or v2's. */
function readPod(cluster: Cluster, node: string, uid: string, ...names: string[]): string {
  const directories = directoriesOf(cluster, node, uid);
  const files = names.flatMap((name) => directories.map((directory) => join(directory, name)));
  const file = files.find((candidate) => existsSync(candidate));
  const message = `pod ${uid} on ${node} has no ${names.join(' or ')}`;
  if (file === undefined) throw new NoCgroupError(message);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    // it went since it was looked for
    throw new NoCgroupError(message, { cause });
  }
}

/** What the kernel lets a pod have. */
export interface Held {
  /** `cpu.shares` (2 at least) or `cpu.weight` (1 at least). */
  weight: number;
  /** In cores; undefined: as much as there is. */
  quota: number | undefined;
  /** bytes */
  memory: number;
  processes: number;
  frozen: boolean;
}

/** Throws a NoCgroupError where the pod has no cgroup. */
export function heldOf(cluster: Cluster, node: string, uid: string): Held {
  const read = (...names: string[]): string => readPod(cluster, node, uid, ...names);
  const frozen = read('freezer.state', 'cgroup.events');
  return {
    weight: Number(read('cpu.shares', 'cpu.weight')),
    quota: quotaOf(read),
    memory: Number(read('memory.limit_in_bytes', 'memory.max')),
    processes: Number(read('pids.max')),
    frozen: frozen === 'FROZEN' || frozen.includes('frozen 1'),
  };
}

function quotaOf(read: (...names: string[]) => string): number | undefined {
  const [max, period] = read('cpu.cfs_quota_us', 'cpu.max').split(' ');
  if (max === '-1' || max === 'max') return undefined;
  return Number(max) / Number(period ?? read('cpu.cfs_period_us'));
}

/** Whether a weight is the least that the kernel knows. */
export const isLowest = ({ weight }: Held): boolean => weight <= 2;

/** What a sliver may leave behind on its node. */
export interface Footprint {
  node: string;
  uid: string;
  address: string;
  /** undefined: it never had one. */
  classId: string | undefined;
}

/** Everything of these slivers that their nodes still have: nothing, once they are gone. */
export async function tracesOf(cluster: Cluster, footprints: readonly Footprint[]): Promise<string[]> {
  const found: string[] = [];
  for (const { node, uid, address, classId } of footprints) {
    const say = (what: string): unknown => found.push(`${node}: ${what} of pod ${uid}`);
    if (directoriesOf(cluster, node, uid).length > 0) say('a cgroup');
    if ((await runInNode(cluster, node, ['cat', '/proc/mounts'])).includes(uid)) say('a mount');
    const directories = ['/run/slice-operator/slivers', '/var/lib/kubelet/pods'];
    if ((await runInNode(cluster, node, ['ls', ...directories])).includes(uid)) say('a directory');
    if ((await addressesOf(cluster, node)).has(address)) say(`the address ${address}`);
    if (classId !== undefined && (await classesOf(cluster, node)).has(classId)) say(`the class ${classId}`);
  }
  return found;
}
