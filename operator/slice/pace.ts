/** At most one status write a second for each slice: a thousand grants that arrive one by one are told in a few writes. */

export const STATUS_INTERVAL_MS = 1_000;

export class Pace {
  readonly #now: () => number;
  readonly #intervalMs: number;
  readonly #wrote = new Map<string, number>();

  /** `now` in ms of a clock that only grows. */
  constructor(now: () => number, intervalMs = STATUS_INTERVAL_MS) {
    this.#now = now;
    this.#intervalMs = intervalMs;
  }

  /** 0: may be written now. */
  waitMs(key: string): number {
    const last = this.#wrote.get(key);
    return last === undefined ? 0 : Math.max(0, last + this.#intervalMs - this.#now());
  }

  wrote(key: string): void {
    this.#wrote.set(key, this.#now());
  }

  forget(key: string): void {
    this.#wrote.delete(key);
  }
}
