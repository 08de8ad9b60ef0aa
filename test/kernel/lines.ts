/** A process that is asked by lines, and answers each with one. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Lines<Q> {
  readonly child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** The answer as it stands. */
  async say(request: Q): Promise<string> {
    this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the process has ended');
    return value;
  }

  /** The answer as JSON. Throws where it says that there was an error. */
  async ask<T>(request: Q): Promise<T> {
    const value = JSON.parse(await this.say(request)) as T & { error?: string };
    if (value.error !== undefined) throw new Error(value.error);
    return value;
  }
}
