/**
 * Keys that wait for work: each at most once, never handed out while it is being worked on, in turn by namespace, so that one
 * namespace with a thousand keys does not keep another's single key waiting.
 */
export class WorkQueue {
  /** namespace -> its waiting keys in order; the Map's own order is whose turn it is. */
  readonly #waiting = new Map<string, Set<string>>();
  /** With when it was handed out, by the monotonic clock. */
  readonly #active = new Map<string, number>();
  /** Added while being worked on: waits again as soon as that is done. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;
  #added = 0;

  /** Keys that wait now. */
  get depth(): number {
    let depth = 0;
    for (const keys of this.#waiting.values()) depth += keys.size;
    return depth;
  }

  /** Keys that were added since the beginning, each as often as it came to wait. */
  get added(): number {
    return this.#added;
  }

  /** Keys that are being worked on. */
  get active(): number {
    return this.#active.size;
  }

  /** How long the key that has been worked on longest has been; 0 where there is none. */
  get longestMs(): number {
    // handed out in this order
    const [first] = this.#active.values();
    return first === undefined ? 0 : performance.now() - first;
  }

  get idle(): boolean {
    return this.depth === 0 && this.#active.size === 0 && this.#delayed.size === 0;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#cancel(key);
    if (this.#active.has(key)) {
      this.#again.add(key);
      return;
    }
    const namespace = namespaceOf(key);
    const keys = this.#waiting.get(namespace) ?? new Set();
    if (!keys.has(key)) this.#added++;
    this.#waiting.set(namespace, keys.add(key));
    this.#serve();
  }

  /** As `add`, but later; the earliest of several times counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) return this.add(key);
    const at = performance.now() + ms;
    const known = this.#delayed.get(key);
    if (known && known.at <= at) return;
    this.#cancel(key);
    // a timer takes at most 2^31 ms; a key that comes too early is looked at once more, that is all
    const timer = setTimeout(
      () => {
        this.#delayed.delete(key);
        this.add(key);
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    this.#delayed.set(key, { timer, at });
  }

  /** The next key, which is the caller's until it calls `done`; undefined when the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  done(key: string): void {
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Nothing more is handed out; what is being worked on is the worker's to finish. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    this.#waiting.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #serve(): void {
    while (this.#takers.length > 0 && this.#waiting.size > 0) {
      const [namespace, keys] = this.#waiting.entries().next().value!;
      const key = keys.values().next().value!;
      keys.delete(key);
      // to the end of the turn, behind every other namespace
      this.#waiting.delete(namespace);
      if (keys.size > 0) this.#waiting.set(namespace, keys);
      this.#active.set(key, performance.now());
      this.#takers.shift()!(key);
    }
  }

  #cancel(key: string): void {
    const known = this.#delayed.get(key);
    if (known) clearTimeout(known.timer);
    this.#delayed.delete(key);
  }
}

function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
}
