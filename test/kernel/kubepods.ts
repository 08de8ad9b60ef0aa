/** A tree of real cgroups laid out and weighed as the kubelet does it, under a prefix of its own. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Parent, parseMounts } from '../../node-daemonset/cpu/cgroups.ts';
import type { ObservedPod } from '../../node-daemonset/cpu/plan.ts';
import { type Conversion, sharesOfRequest, weightOfShares } from '../../node-daemonset/cpu/requests.ts';

/** Pods without containers: processes join the pods themselves. */
export class TestKubepods {
  readonly prefix: string;
  readonly version: 1 | 2;
  readonly #roots: string[];
  readonly #made: string[] = [];
  readonly #pods = new Map<string, { parent: Parent; milli: number }>();
  readonly #conversion: Conversion;

  /** `prefix`: below the root of the CPU tree; '' where the machine has no pods of its own. */
  constructor(prefix: string, allocatableMilli: number, conversion: Conversion = 'linear') {
    const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
    const v1 = mounts.filter(({ options }) => options.includes('cpu') || options.includes('cpuacct'));
    this.version = v1.length > 0 ? 1 : 2;
    this.#roots = (v1.length > 0 ? v1 : mounts.filter(({ version }) => version === 2)).map(({ point }) => point);
    this.prefix = prefix && `${prefix}${process.pid}`;
    this.#conversion = conversion;
    if (this.prefix) this.#make(this.prefix);
    this.#make(join(this.prefix, 'kubepods'));
    this.#weigh(join(this.prefix, 'kubepods'), allocatableMilli);
    for (const parent of ['burstable', 'besteffort']) this.#make(join(this.prefix, 'kubepods', parent));
    this.#weighParents();
  }

  /** A pod that requests so many thousandths of a core; its parent is weighed first, as the kubelet does. */
  addPod(uid: string, parent: Parent, milli: number): void {
    this.#pods.set(uid, { parent, milli });
    this.#weighParents();
    this.#make(this.#path(uid));
    this.#weigh(this.#path(uid), milli);
  }

  /** Its directories go, as the kubelet takes them away when nothing runs in them. */
  removePod(uid: string): void {
    const path = this.#path(uid);
    this.#made.splice(this.#made.indexOf(path), 1);
    for (const root of new Set(this.#roots)) removeDirectory(join(root, path));
    this.#pods.delete(uid);
  }

  /** Moves a process into the pod, in the trees that give CPU time and count it. */
  join(uid: string, pid: number): void {
    for (const root of this.#roots) writeFileSync(join(root, this.#path(uid), 'cgroup.procs'), String(pid));
  }

  /** The shell command by which a process joins the pod itself before it becomes something else. */
  joinCommand(uid: string): string {
    return this.#roots.map((root) => `echo $$ > ${join(root, this.#path(uid), 'cgroup.procs')}`).join(' && ');
  }

  setWeight(uid: string, weight: number): void {
    writeFileSync(this.#file(this.#path(uid), this.version === 1 ? 'cpu.shares' : 'cpu.weight'), String(weight));
  }

  /** Against every other program of this machine, for as long as the tree exists. */
  outweighOthers(): void {
    if (this.prefix) this.#weigh(this.prefix, 256_000);
  }

  /** Weight of the parent of all Burstable pods. */
  burstableWeight(): number {
    const parent = join(this.prefix, 'kubepods', 'burstable');
    return Number(readFileSync(this.#file(parent, this.version === 1 ? 'cpu.shares' : 'cpu.weight'), 'utf8'));
  }

  cpu(uid: string): Pick<ObservedPod, 'weight' | 'quota'> {
    const read = (name: string): string => readFileSync(this.#file(this.#path(uid), name), 'utf8').trim();
    if (this.version === 1) {
      const max = Number(read('cpu.cfs_quota_us'));
      const quota = { max: max < 0 ? undefined : max, period: Number(read('cpu.cfs_period_us')) };
      return { weight: Number(read('cpu.shares')), quota };
    }
    const [max, period] = read('cpu.max').split(' ');
    const quota = { max: max === 'max' ? undefined : Number(max), period: Number(period) };
    return { weight: Number(read('cpu.weight')), quota };
  }

  /** CPU time of the pod in seconds. */
  time(uid: string): number {
    const accounts = this.#roots
      .map((root) => join(root, this.#path(uid), 'cpuacct.usage'))
      .find((file) => existsSync(file));
    if (accounts) return Number(readFileSync(accounts, 'utf8')) / 1e9;
    const stat = readFileSync(this.#file(this.#path(uid), 'cpu.stat'), 'utf8');
    return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]) / 1e6;
  }

  /** To be called when no process is left in it. */
  remove(): void {
    for (const path of this.#made.splice(0).reverse()) {
      for (const root of new Set(this.#roots)) removeDirectory(join(root, path));
    }
  }

  #path(uid: string): string {
    const { parent } = this.#pods.get(uid)!;
    return join(this.prefix, 'kubepods', parent === 'guaranteed' ? '' : parent, `pod${uid}`);
  }

  #make(path: string): void {
    for (const root of new Set(this.#roots)) mkdirSync(join(root, path));
    this.#made.push(path);
    if (this.version === 1) return;
    const above = join(this.#roots[0]!, path, '..', 'cgroup.subtree_control');
    writeFileSync(above, '+cpu');
  }

  #weighParents(): void {
    const requests = [...this.#pods.values()].filter(({ parent }) => parent === 'burstable').map(({ milli }) => milli);
    this.#weigh(
      join(this.prefix, 'kubepods', 'burstable'),
      requests.reduce((a, b) => a + b, 0),
    );
    this.#weigh(join(this.prefix, 'kubepods', 'besteffort'), 0);
  }

  #weigh(path: string, milli: number): void {
    const shares = sharesOfRequest(milli);
    if (this.version === 1) writeFileSync(this.#file(path, 'cpu.shares'), String(shares));
    else writeFileSync(this.#file(path, 'cpu.weight'), String(weightOfShares(shares, this.#conversion)));
  }

  #file(path: string, name: string): string {
    const file = this.#roots.map((root) => join(root, path, name)).find((candidate) => existsSync(candidate));
    if (!file) throw new Error(`no cgroup tree has ${path}/${name}`);
    return file;
  }
}

/** A cgroup whose last process has just ended stays busy for a moment. */
export function removeDirectory(path: string): void {
  for (let left = 50; ; left--) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || left === 0) throw error;
      execFileSync('sleep', ['0.1']);
    }
  }
}
