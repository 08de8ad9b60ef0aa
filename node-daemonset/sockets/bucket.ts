/** A token bucket: so much at once, and so much a second. */
export class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** `now` and all times after it in ms of one clock that does not go back. */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /**
   * Takes a token, and says for how many ms its taker must wait: 0 while there are some. At most a burst is taken in
   * advance, so that whoever overdid it waits for no longer than that takes.
   */
  take(now: number): number {
    const passed = Math.max(0, now - this.#at);
    const tokens = Math.min(this.#burst, this.#tokens + (passed * this.#perSecond) / 1000) - 1;
    this.#tokens = Math.max(-this.#burst, tokens);
    this.#at = Math.max(now, this.#at);
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens * 1000) / this.#perSecond);
  }
}
