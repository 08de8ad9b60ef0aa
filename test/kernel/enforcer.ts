/** Drives the egress enforcer in another network namespace. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type Interface, createInterface } from 'node:readline';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import type { ClassCounters } from '../../node-daemonset/egress/tc.ts';
import type { Request } from './enforcer-process.ts';
import type { Namespaces } from './netns.ts';

/** One process of the enforcer; `stop` and a new one are its restart. */
export class RemoteEnforcer {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(namespaces: Namespaces, namespace: string) {
    const program = new URL('enforcer-process.ts', import.meta.url).pathname;
    this.#child = namespaces.spawn(namespace, [process.execPath, program], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! });
  }

  async enforce(desired: Desired): Promise<EnforcerReport> {
    return this.#ask<EnforcerReport>({ enforce: desired });
  }

  async release(): Promise<void> {
    await this.#ask({ release: true });
  }

  /** As the last pass saw them, by HTB minor. */
  async counters(): Promise<Record<string, ClassCounters>> {
    return this.#ask({ counters: true });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #ask<T>(request: Request): Promise<T> {
    const reply = once(this.#lines, 'line') as Promise<[string]>;
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    const value = JSON.parse((await reply)[0]) as T & { error?: string };
    if (value.error !== undefined) throw new Error(value.error);
    return value;
  }
}
