/** One real pod cgroup in every tree that slivers are held by, with processes in it that end with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { amounts } from '../../crds/rspec.ts';
import { parseMounts } from '../../node-daemonset/cpu/cgroups.ts';
import type { Desired, Sliver } from '../../node-daemonset/sliver.ts';
import { removeDirectory } from './kubepods.ts';

const CONTROLLERS = ['cpu', 'memory', 'pids', 'freezer'];

export class SliverPod {
  readonly uid = '0b5c6a1e-0000-4000-8000-000000000001';
  readonly prefix = `slice-test-pod${process.pid}`;
  readonly #roots = new Map<string, string>();
  readonly #made: string[] = [];
  readonly #children: ChildProcess[] = [];

  constructor() {
    const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
    for (const name of CONTROLLERS) {
      const mount = mounts.find(({ options }) => options.includes(name)) ?? mounts.find(({ version }) => version === 2);
      this.#roots.set(name, mount!.point);
    }
    for (const root of new Set(this.#roots.values())) {
      let path = root;
      for (const part of [this.prefix, 'kubepods', 'burstable', `pod${this.uid}`]) {
        path = join(path, part);
        mkdirSync(path);
        this.#made.push(path);
      }
    }
  }

  /** Absolute path of a file or directory of the pod in a controller's tree. */
  path(controller: string, ...below: string[]): string {
    return join(this.#roots.get(controller)!, this.prefix, 'kubepods/burstable', `pod${this.uid}`, ...below);
  }

  read(controller: string, ...names: string[]): string {
    const found = names.map((name) => this.path(controller, name)).find((path) => existsSync(path));
    return readFileSync(found!, 'utf8').trim();
  }

  /** A cgroup below the pod's in each tree, as a container has. */
  addContainer(name: string): void {
    for (const root of new Set(this.#roots.values())) {
      const path = join(root, this.prefix, 'kubepods/burstable', `pod${this.uid}`, name);
      mkdirSync(path);
      this.#made.push(path);
    }
  }

  /** Starts a program that joins the pod before it becomes itself; resolves when it is in. */
  async start(script: string, container = ''): Promise<ChildProcess> {
    const procs = [...new Set(this.#roots.keys())].map((name) => this.path(name, container, 'cgroup.procs'));
    const join = procs.map((file) => `echo $$ > ${file}`).join(' && ');
    const child = spawn('bash', ['-c', `${join} && echo ready && ${script}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`it ended with ${code} before it was in the pod`)));
    });
    return child;
  }

  sliver(change: Partial<Sliver> = {}): Sliver {
    return {
      id: this.uid,
      rcap: { namespace: 'team', name: 'right', uid: 'r' },
      slice: 'measure',
      standing: 'entitled',
      network: 'Pod',
      amounts: amounts(undefined),
      classId: 0x100,
      number: 1,
      addresses: [],
      ...change,
    };
  }

  desired(change: Partial<Sliver> = {}): Desired {
    const facts = {
      nodeName: 'node1',
      cpuMilli: 2000,
      memory: 2 ** 33,
      lines: [],
      egressLimit: 1e8,
      exempt: { destinations: [], limit: undefined },
      otherInterfaces: 'Count' as const,
      echoRate: 10,
      optionRate: 10,
    };
    return { slivers: [this.sliver(change)], ports: [], facts };
  }

  /** Ends what runs in it and takes the cgroups away. */
  async remove(): Promise<void> {
    for (const name of ['freezer.state', 'cgroup.freeze']) {
      const path = this.path('freezer', name);
      if (existsSync(path)) writeFileSync(path, name === 'freezer.state' ? 'THAWED' : '0');
    }
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    for (const path of this.#made.reverse()) removeDirectory(path);
  }
}
