/**
 * The programs of command sensors run in their slivers, and the node manager starts none of them: each sliver has an agent
 * of its own, slice-sensors, which connects to the sliver's socket and waits for work. So a program has the sliver's
 * namespaces, cgroup, user, seccomp filter and limits because it is the sliver's, and all that this process does with it is
 * to read a connection.
 *
 * Work: `<ms> <bytes>\n` and the arguments, each with a zero at its end. Answer: what the program writes, then a zero and
 * how it ended: `exit <status>`, `signal <number>` or `failed <why>`. One connection, one program.
 */
import type { Socket } from 'node:net';
import { SourceError } from './source.ts';

/** Connections of a sliver that wait for work. */
const MAX_IDLE = 4;
/** The agent connects anew for each program: that it does not wait at this instant says little. */
const WAIT_MS = 1_000;
/** Longest ending: a zero and some words. */
const MAX_ENDING = 256;

export interface Work {
  argv: readonly string[];
  /** The agent ends the program then; undefined: only when the connection ends. */
  timeoutMs: number | undefined;
  /** What it wrote; throws to end it. */
  onOutput(chunk: Buffer): void;
  signal: AbortSignal;
}

interface Sliver {
  idle: Socket[];
  waiting: ((socket: Socket) => void)[];
}

export class Agents {
  readonly #slivers = new Map<string, Sliver>();

  /** A connection of the sliver's agent, which has been told that it is one. */
  add(uid: string, socket: Socket): void {
    const sliver = this.#of(uid);
    socket.on('error', () => undefined);
    const waiting = sliver.waiting.shift();
    if (waiting) return waiting(socket);
    if (sliver.idle.length >= MAX_IDLE) {
      socket.destroy();
      return;
    }
    sliver.idle.push(socket);
    socket.once('close', () => {
      sliver.idle = sliver.idle.filter((one) => one !== socket);
      this.#forget(uid, sliver);
    });
    // nothing is to be said before there is work
    socket.once('data', () => socket.destroy());
    socket.resume();
  }

  /** Resolves when the program has ended well. Rejects with SourceError, or with what `onOutput` throws. */
  async run(uid: string, work: Work): Promise<void> {
    const socket = await this.#take(uid, work.signal);
    try {
      await converse(socket, work);
    } finally {
      socket.destroy();
    }
  }

  #of(uid: string): Sliver {
    const known = this.#slivers.get(uid) ?? { idle: [], waiting: [] };
    this.#slivers.set(uid, known);
    return known;
  }

  /** Slivers come and go. */
  #forget(uid: string, sliver: Sliver): void {
    if (sliver.idle.length === 0 && sliver.waiting.length === 0) this.#slivers.delete(uid);
  }

  #take(uid: string, signal: AbortSignal): Promise<Socket> {
    const sliver = this.#of(uid);
    const idle = sliver.idle.shift();
    if (idle) {
      idle.removeAllListeners('data');
      return Promise.resolve(idle);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const leave = (error: Error): void => {
      sliver.waiting = sliver.waiting.filter((one) => one !== resolve);
      this.#forget(uid, sliver);
      reject(error);
    };
    const nobody = `no agent of the sliver waits for work: start /run/slice/bin/slice-sensors in it, as in its bootScript`;
    const timer = setTimeout(() => leave(new SourceError('NoAgent', nobody)), WAIT_MS);
    const onAbort = (): void => leave(new SourceError('TimedOut', 'nobody waits for it any more'));
    signal.addEventListener('abort', onAbort, { once: true });
    sliver.waiting.push(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    });
  }
}

function converse(socket: Socket, { argv, timeoutMs, onOutput, signal }: Work): Promise<void> {
  return new Promise((resolve, reject) => {
    let ending: Buffer | undefined;
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('data', (chunk: Buffer) => {
      try {
        const zero = ending ? -1 : chunk.indexOf(0);
        if (ending) ending = Buffer.concat([ending, chunk]);
        else if (zero >= 0) ending = chunk.subarray(zero + 1);
        const output = ending === undefined ? chunk : zero > 0 ? chunk.subarray(0, zero) : undefined;
        if (output) onOutput(output);
        if ((ending?.length ?? 0) > MAX_ENDING)
          throw new SourceError('NotText', 'its output has a zero byte: it is no text');
      } catch (error) {
        reject(error);
        socket.destroy();
      }
    });
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      const problem = judge(ending?.toString('latin1'));
      if (problem) reject(problem);
      else resolve();
    });
    const words = Buffer.from(argv.map((word) => `${word}\0`).join(''));
    socket.write(Buffer.concat([Buffer.from(`${timeoutMs ?? 0} ${words.length}\n`), words]));
    socket.resume();
  });
}

/** What the agent said of the program's end; undefined where it ended well. */
function judge(ending: string | undefined): SourceError | undefined {
  // what could not be started says so itself, before the agent says how it ended
  const match = /^(exit|signal|failed) ([ -~]{1,200})\n(?:\0exit 127\n)?$/.exec(ending ?? '');
  if (!match) {
    return ending === undefined
      ? new SourceError('Died', 'the sliver ended the connection before its program ended')
      : new SourceError('NotText', 'its output has a zero byte: it is no text');
  }
  const [, how, what] = match;
  if (how === 'exit') return what === '0' ? undefined : new SourceError('Died', `it exited with ${what}`);
  if (how === 'signal') return new SourceError('Died', `it was ended by signal ${what}`);
  return new SourceError('Died', `it could not be run: ${what}`);
}
