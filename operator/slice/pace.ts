/** At most one status write a second for each slice: a thousand grants that arrive one by one are told in a few writes. */

const INTERVAL_MS = 1_000;

export class Pace {
  readonly #now: () => number;
  readonly #wrote = new Map<string, number>();

  /** `now` in ms of a clock that only grows. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** 0: may be written now. */
  waitMs(key: string): number {
    const last = this.#wrote.get(key);
    return last === undefined ? 0 : Math.max(0, last + INTERVAL_MS - this.#now());
  }

  wrote(key: string): void {
    this.#wrote.set(key, this.#now());
  }

  forget(key: string): void {
    this.#wrote.delete(key);
  }
}
