/** Our programs as processes of their own, as the chart and the examples start them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ApiServer } from './fixture.ts';

export interface Running {
  child: ChildProcess;
  /** What it wrote so far, on either stream. */
  output: string[];
  /** Its exit status; null where a signal ended it. */
  exited: Promise<number | null>;
}

/** Those of a spec, ended with it. */
export class Processes {
  readonly #main: string;
  readonly #started: Running[] = [];

  /** `main` is the program's path from the project's top level. */
  constructor(main: string) {
    this.#main = fileURLToPath(new URL(`../../${main}`, import.meta.url));
  }

  start({ kubeconfig }: ApiServer, settings: Record<string, string>, argv: readonly string[] = []): Running {
    const env = { PATH: process.env.PATH ?? '', KUBECONFIG: kubeconfig, ...settings };
    const child = spawn(process.execPath, [this.#main, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(String(chunk)));
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const running = { child, output, exited };
    this.#started.push(running);
    return running;
  }

  async kill(): Promise<void> {
    for (const { child, exited } of this.#started.splice(0)) {
      child.kill('SIGKILL');
      await exited;
    }
  }
}
