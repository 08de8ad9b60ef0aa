/** A program of ours in another network namespace, which answers one line of JSON with another. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type Interface, createInterface } from 'node:readline';
import type { Namespaces } from './netns.ts';

/** One process; `stop` and a new one are its restart. */
export class Remote<Request> {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  /** `program`: a file beside this one. */
  constructor(namespaces: Namespaces, namespace: string, program: string, ...args: string[]) {
    const path = new URL(program, import.meta.url).pathname;
    this.#child = namespaces.spawn(namespace, [process.execPath, path, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout! });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async ask<T>(request: Request): Promise<T> {
    const reply = once(this.#lines, 'line') as Promise<[string]>;
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    const value = JSON.parse((await reply)[0]) as T & { error?: string };
    if (value.error !== undefined) throw new Error(value.error);
    return value;
  }
}
