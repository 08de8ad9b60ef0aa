/** One stream for many listeners: it runs while somebody listens, and no listener can hold it up. */
import type { Cell, Column, Reading } from '../../crds/reading.ts';
import type { Listener, Stream } from './source.ts';
import { weightOf } from './weight.ts';

export interface BroadcastOptions {
  /** Gives rows until it comes to its end or the signal says so; its rejection is told to all who listen. */
  run(row: (row: readonly Cell[]) => void, signal: AbortSignal): Promise<void>;
  /** Told of each row, before the listeners. */
  onRow(row: readonly Cell[]): void;
  onEnd(error: Error | undefined): void;
  /** A stream that ends is not begun again sooner. */
  restMs?: number;
}

const REST_MS = 1_000;

export class Broadcast implements Stream {
  readonly #options: BroadcastOptions;
  readonly #listeners = new Set<Listener>();
  #running: AbortController | undefined;
  #waiting: NodeJS.Timeout | undefined;
  #startedAt = -Infinity;

  constructor(options: BroadcastOptions) {
    this.#options = options;
  }

  follow(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#running?.abort();
      clearTimeout(this.#waiting);
      this.#waiting = undefined;
    };
  }

  /** Ends it for all. */
  close(error?: Error): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    this.#running?.abort();
    for (const listener of listeners) listener.end(error);
  }

  #start(): void {
    if (this.#running || this.#waiting) return;
    const wait = this.#startedAt + (this.#options.restMs ?? REST_MS) - performance.now();
    if (wait > 0) {
      this.#waiting = setTimeout(() => {
        this.#waiting = undefined;
        this.#start();
      }, wait);
      return;
    }
    this.#startedAt = performance.now();
    const running = new AbortController();
    this.#running = running;
    const row = (cells: readonly Cell[]): void => {
      if (running.signal.aborted) return;
      this.#options.onRow(cells);
      for (const listener of this.#listeners) listener.row(cells);
    };
    const ended = (error?: Error): void => {
      this.#running = undefined;
      if (running.signal.aborted) {
        // who came after the last had gone
        if (this.#listeners.size > 0) this.#start();
        return;
      }
      this.#options.onEnd(error);
      this.close(error);
    };
    (async () => this.#options.run(row, running.signal))().then(() => ended(), ended);
  }
}

/** By weight: a node may serve 128 sensors with one. */
const MAX_HISTORY = 2 ** 18;

/** The last rows or readings of one sensor, as many as wanted and no more than fit. */
export class History {
  readonly #columns: readonly Column[];
  readonly #limit: number;
  readonly #maxWeight: number;
  readonly #kept: (Reading & { weight: number })[] = [];
  #weight = 0;
  /** As it was last read: one object, whose bytes are made once. */
  #table: Reading | undefined;

  constructor(columns: readonly Column[], limit: number, maxWeight = MAX_HISTORY) {
    this.#columns = [{ name: 'time', type: 'time', help: 'When it was read.' }, ...columns];
    this.#limit = limit;
    this.#maxWeight = maxWeight;
  }

  add(reading: Reading): void {
    if (this.#limit === 0) return;
    this.#table = undefined;
    const weight = weightOf(reading.rows);
    this.#kept.push({ ...reading, weight });
    this.#weight += weight;
    while (this.#kept.length > this.#limit || (this.#weight > this.#maxWeight && this.#kept.length > 0)) {
      this.#weight -= this.#kept.shift()!.weight;
    }
  }

  /** All of it as one table, the oldest first; undefined where none is kept at all. */
  read(now: number): Reading | undefined {
    if (this.#limit === 0 || this.#table) return this.#table;
    const rows = this.#kept.flatMap(({ rows: cells, time }) =>
      cells.map((row) => [new Date(time).toISOString(), ...row]),
    );
    this.#table = { columns: this.#columns, rows, time: this.#kept.at(-1)?.time ?? now };
    return this.#table;
  }
}
