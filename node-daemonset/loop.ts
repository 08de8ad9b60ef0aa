/** When passes run: at once when something happened, a few a second when much happens, and now and then regardless. */
import type { Logger } from 'pino';
import type { PassResult } from './pass.ts';

export interface LoopOptions {
  /** Never rejects for what it could handle itself; a rejection counts as a failed pass. */
  run(full: boolean): Promise<PassResult>;
  log: Logger;
  now?: () => number;
  /** The least time from the end of one pass to the next, in ms. Default 150. */
  gapMs?: number;
  /** The same when a pod or somebody who asked for a right waits for the pass. Default 10. */
  urgentGapMs?: number;
  /** The most time between two full passes, in ms. Default 60 s. */
  fullMs?: number;
}

const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 60_000;
/** setTimeout takes 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One pass at a time. */
export class Loop {
  readonly #options: Required<LoopOptions>;
  #waiting: { resolve: (result: PassResult) => void; reject: (error: Error) => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #wanted = false;
  #urgent = false;
  #started = false;
  #stopped = false;
  #endedAt = -Infinity;
  #fullAt = -Infinity;
  #failures = 0;
  #wakeAt: number | undefined;

  constructor(options: LoopOptions) {
    this.#options = { now: Date.now, gapMs: 150, urgentGapMs: 10, fullMs: 60_000, ...options };
  }

  /** Passes run from here on; what woke it before is not forgotten. */
  start(): void {
    this.#started = true;
    if (this.#wanted) this.#schedule();
  }

  /** Something changed: a pass is due; urgent where somebody waits for its answer. */
  wake(urgent = false): void {
    this.#wanted = true;
    this.#urgent ||= urgent;
    this.#schedule();
  }

  /** Resolves with the outcome of a pass that began after this call; for those who wait for the kernel. */
  pass(): Promise<PassResult> {
    if (this.#stopped) return Promise.reject(new Error('the node manager is stopping'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#wanted = true;
      this.#urgent = true;
      this.#schedule();
    });
  }

  /** No pass begins after this; resolves when the present one has ended. The kernel goes on as it was told. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the node manager is stopping'));
  }

  #schedule(): void {
    if (!this.#started || this.#stopped || this.#running) return;
    clearTimeout(this.#timer);
    const { now, gapMs, urgentGapMs, fullMs } = this.#options;
    const due = [this.#fullAt + fullMs, this.#wakeAt ?? Infinity];
    if (this.#failures > 0) due.push(this.#endedAt + backOff(this.#failures));
    if (this.#wanted) due.push(this.#endedAt + (this.#urgent ? urgentGapMs : gapMs));
    const wait = Math.min(Math.max(Math.min(...due) - now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, wait);
  }

  async #run(): Promise<void> {
    const { run, log, now, fullMs } = this.#options;
    const full = this.#failures > 0 || now() >= this.#fullAt + fullMs;
    if (full) this.#fullAt = now();
    // What happens from here on belongs to the next pass.
    const waiting = this.#waiting.splice(0);
    this.#wanted = false;
    this.#urgent = false;
    try {
      const result = await run(full);
      this.#failures = result.failed ? this.#failures + 1 : 0;
      this.#wakeAt = result.wakeAt;
      for (const { resolve } of waiting) resolve(result);
    } catch (error) {
      this.#failures++;
      log.error({ err: error, failures: this.#failures }, 'pass failed');
      for (const { reject } of waiting) reject(error as Error);
    } finally {
      this.#endedAt = now();
      this.#running = undefined;
      this.#schedule();
    }
  }
}

function backOff(failures: number): number {
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10));
}
