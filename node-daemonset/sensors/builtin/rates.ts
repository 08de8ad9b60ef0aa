/** How fast counters grow between one reading and the next. */
export class Rates {
  #before = new Map<string, { value: number; at: number }>();
  #now = new Map<string, { value: number; at: number }>();
  #at = -Infinity;

  /** Per second since the reading before; null at the first, and where the counter began anew. `now` in ms. */
  of(key: string, value: number | undefined, now: number): number | null {
    if (now !== this.#at) {
      // what was asked for one by one meanwhile is kept as well
      this.#before = new Map([...this.#before, ...this.#now].slice(-MAX_KEYS));
      this.#now = new Map();
      this.#at = now;
    }
    if (value === undefined) return null;
    this.#now.set(key, { value, at: now });
    const before = this.#before.get(key);
    if (!before || before.at >= now || value < before.value) return null;
    return ((value - before.value) * 1000) / (now - before.at);
  }
}

const MAX_KEYS = 4_096;
