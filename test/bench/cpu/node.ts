/** Pods full of busy threads in a kubepods tree of real cgroups, kept by the project's own CPU enforcer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Amounts } from '../../../crds/rspec.ts';
import { createCpuEnforcer } from '../../../node-daemonset/cpu/apply.ts';
import type { Parent } from '../../../node-daemonset/cpu/cgroups.ts';
import type { Conversion } from '../../../node-daemonset/cpu/requests.ts';
import type { Enforcer, Sliver } from '../../../node-daemonset/sliver.ts';
import { TestKubepods } from '../../kernel/kubepods.ts';
import { makeDesired, makeSliver } from '../../node-daemonset/desired.ts';

/** CPU time in seconds by pod, since the node was made. */
export type Times = Map<string, number>;

export interface NodeOptions {
  /** Below the root of the CPU tree; '' where the machine has no pods of its own. */
  prefix: string;
  /** How the kubelet turns requests into weights on cgroup v2. */
  conversion: Conversion;
  /** Path of the `burn` program. */
  burn: string;
  signal: AbortSignal;
}

/** All of this machine's CPUs are allocatable, 1000 shares of them. `close` leaves nothing. */
export class BusyNode {
  readonly cpus = cpus().length;
  readonly kubepods: TestKubepods;
  readonly #options: NodeOptions;
  readonly #directory = mkdtempSync(join(tmpdir(), 'bench-cpu-'));
  readonly #enforcer: Enforcer;
  readonly #slivers: Sliver[] = [];
  readonly #pods: string[] = [];
  readonly #burners: ChildProcess[] = [];
  /** Passes run one after the other, as the node manager's do. */
  #passes: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #closed = false;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.kubepods = new TestKubepods(options.prefix, this.cpus * 1000, options.conversion);
    // Other programs of this machine are no part of the node whose pods are compared.
    this.kubepods.outweighOthers();
    this.#enforcer = createCpuEnforcer({
      stateFile: join(this.#directory, 'cpu.json'),
      prefix: this.kubepods.prefix,
      onDisturbed: () => this.#pass(),
    });
  }

  /** A sliver with one busy thread a CPU. */
  async addSliver(uid: string, amounts: Partial<Amounts> & { shares: number }): Promise<void> {
    this.#slivers.push(makeSliver(uid, amounts));
    await this.addPod(uid, 'burstable', amounts.shares);
  }

  /** Somebody else's pod, which requests so many thousandths of the node, with one busy thread a CPU. */
  async addPod(uid: string, parent: Parent, thousandths: number): Promise<void> {
    this.kubepods.addPod(uid, parent, Math.floor(thousandths * this.cpus));
    this.#pods.push(uid);
    this.#pass();
    const join = `${this.kubepods.joinCommand(uid)} && exec "$0" "$1"`;
    const argv = ['-c', join, this.#options.burn, String(this.cpus)];
    // Burners end with their stdin, so that none outlives this process.
    const burner = spawn('/bin/sh', argv, { stdio: ['pipe', 'ignore', 'inherit'] });
    this.#burners.push(burner);
    await once(burner, 'spawn');
  }

  /** Waits, and takes the times; fails where the enforcer did. */
  async wait(seconds: number): Promise<Times> {
    await sleep(seconds * 1000, undefined, { signal: this.#options.signal });
    const ended = this.#burners.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (ended) throw new Error(`a load ended before it was measured: ${ended.spawnargs.join(' ')}`);
    if (this.#failure) throw this.#failure;
    return new Map(this.#pods.map((uid) => [uid, this.kubepods.time(uid)]));
  }

  /** Ends every load, puts weights back, removes the cgroups. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#passes;
    for (const burner of this.#burners) {
      if (burner.exitCode !== null || burner.signalCode !== null) continue;
      const ended = once(burner, 'exit');
      burner.kill('SIGKILL');
      await ended;
    }
    try {
      await this.#enforcer.release();
    } finally {
      this.kubepods.remove();
      rmSync(this.#directory, { recursive: true });
    }
  }

  #pass(): void {
    const before = this.#passes;
    this.#passes = (async () => {
      await before;
      if (this.#closed) return;
      try {
        const desired = makeDesired([...this.#slivers], { cpuMilli: this.cpus * 1000 });
        const { problems } = await this.#enforcer.enforce(desired, this.#options.signal);
        if (problems.length > 0) throw new Error(JSON.stringify(problems));
      } catch (error) {
        this.#failure ??= error as Error;
      }
    })();
  }
}
