/** Workers that take keys from a queue, reconcile them, and say what becomes of each. */
import { FencedError, TerminalError, isStatus } from './errors.ts';
import type { Log } from './log.ts';
import type { WorkQueue } from './workqueue.ts';

/** What a reconcile that went well asks for. */
export type Outcome = { kind: 'done' } | { kind: 'after'; ms: number };

export const Done: Outcome = { kind: 'done' };
export const After = (ms: number): Outcome => ({ kind: 'after', ms });

export type Result = 'success' | 'requeue_after' | 'error' | 'conflict' | 'terminal' | 'fenced';

export interface WorkerOptions {
  name: string;
  workers: number;
  log: Log;
  backoffMs?: { first: number; most: number };
  /** The most that one reconcile may take; its signal then fires. */
  deadlineMs?: number;
  onResult?: (result: Result, seconds: number) => void;
}

const BACKOFF_MS = { first: 50, most: 60_000 };
const DEADLINE_MS = 60_000;
/** Failures of keys that are gone need not be remembered for ever. */
const MAX_REMEMBERED = 10_000;

/** Runs until the queue is closed; resolves when the last worker has finished what it had begun. */
export async function runWorkers(
  queue: WorkQueue,
  reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>,
  options: WorkerOptions,
): Promise<void> {
  const backoff = options.backoffMs ?? BACKOFF_MS;
  const failures = new Map<string, number>();

  const retry = (key: string, asked = 0): void => {
    const count = (failures.get(key) ?? 0) + 1;
    failures.delete(key);
    failures.set(key, count);
    if (failures.size > MAX_REMEMBERED) failures.delete(failures.keys().next().value!);
    queue.addAfter(key, Math.max(asked, Math.min(backoff.most, backoff.first * 2 ** Math.min(count - 1, 20))));
  };

  const settle = (key: string, error: unknown): Result => {
    const { log } = options;
    if (error instanceof TerminalError) {
      failures.delete(key);
      log.error({ key, controller: options.name, err: error.message }, 'an object could not be reconciled');
      return 'terminal';
    }
    if (error instanceof FencedError) {
      retry(key);
      return 'fenced';
    }
    retry(key, isStatus(error, 429, 503) ? error.retryAfterMs : 0);
    if (isStatus(error, 409)) {
      // the cache was behind; the event that brings it up to date is on its way
      log.debug({ key, controller: options.name, err: error.message }, 'a write met a newer object');
      return 'conflict';
    }
    log.warn({ key, controller: options.name, err: error }, 'a reconcile failed and is tried again');
    return 'error';
  };

  async function work(): Promise<void> {
    for (;;) {
      const key = await queue.take();
      if (key === undefined) return;
      const started = performance.now();
      let result: Result = 'error';
      try {
        const outcome = await reconcile(key, AbortSignal.timeout(options.deadlineMs ?? DEADLINE_MS));
        failures.delete(key);
        if (outcome.kind === 'after') queue.addAfter(key, outcome.ms);
        result = outcome.kind === 'after' ? 'requeue_after' : 'success';
      } catch (error) {
        result = settle(key, error);
      } finally {
        // whatever happens in between, a key that was taken is given back
        queue.done(key);
      }
      options.onResult?.(result, (performance.now() - started) / 1000);
    }
  }
  await Promise.all(Array.from({ length: options.workers }, work));
}
