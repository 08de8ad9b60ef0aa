/** Writes what changed to the API server, and nothing else. It may be away for days: the node does not wait for it. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { isStatus } from '../../kube/errors.ts';
import { Waiting } from './waiting.ts';

/** One object's status as it should be. */
export interface StatusReport {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; uid?: string; resourceVersion?: string | undefined };
  status: object;
}

export interface ReporterOptions {
  /**
   * Writes one status to the object as it is now, of which the cache knows; rejects with an ApiError where the server refuses. An
   * object that is another by now is not written to.
   */
  write(report: StatusReport): Promise<void>;
  log: Logger;
  /** Writes under way at a time. Default 8. */
  concurrency?: number;
  /** The least time between two writes of one object. Default 200 ms. */
  gapMs?: number;
  now?: () => number;
}

interface Item {
  key: string;
  /** Empty: the node's own. */
  namespace: string;
  wanted: StatusReport | undefined;
  /** What was written last, and when: the cache may not show it yet. */
  sent: object | undefined;
  sentAt: number;
  /** Not before this: the gap between writes, or the back-off after a failure. */
  notBefore: number;
  failures: number;
  busy: boolean;
}

/** So long a cache may lag behind our own write before the write counts as lost. */
const LAG_MS = 10_000;
/** The namespace of what is in none. */
const NODE = '';
const FIRST_BACKOFF_MS = 500;
const CONFLICT_MS = 25;
const MAX_BACKOFF_MS = 30_000;

/**
 * Over all objects, of which only the latest status is kept. The node's own goes first, then each namespace in turn: however much
 * one has to be written, the others wait for one of it.
 */
export class Reporter {
  readonly #options: Required<ReporterOptions>;
  readonly #items = new Map<string, Item>();
  /** What is wanted and not being written. */
  readonly #waiting = new Waiting<Item>(NODE);
  #busy = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ReporterOptions) {
    this.#options = { concurrency: 8, gapMs: 200, now: Date.now, ...options };
  }

  /** Says how an object's status should be, and how it is by the cache, as far as it is ours. */
  report(key: string, wanted: StatusReport, observed: object | undefined): void {
    const item = this.#items.get(key) ?? {
      key,
      namespace: wanted.metadata.namespace ?? NODE,
      wanted: undefined,
      sent: undefined,
      sentAt: 0,
      notBefore: 0,
      failures: 0,
      busy: false,
    };
    this.#items.set(key, item);
    const status = plain(wanted.status);
    const lagging = this.#options.now() - item.sentAt < LAG_MS;
    const isThere = isDeepStrictEqual(status, observed && plain(observed));
    const isOnItsWay = lagging && isDeepStrictEqual(status, item.sent);
    // What lies in the cache may be older than what we wrote after it.
    const isUndone = lagging && item.sent !== undefined && !isDeepStrictEqual(status, item.sent);
    item.wanted = (isThere && !isUndone) || isOnItsWay ? undefined : { ...wanted, status };
    this.#queue(item);
    this.#pump();
  }

  /** Forgets objects that are gone. */
  keep(keys: ReadonlySet<string>): void {
    for (const [key, item] of this.#items) {
      if (keys.has(key) || item.busy) continue;
      this.#items.delete(key);
      this.#waiting.delete(item);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #queue(item: Item): void {
    if (item.wanted && !item.busy) this.#waiting.add(item);
    else this.#waiting.delete(item);
  }

  #pump(): void {
    // whoever is being written comes back here
    if (this.#closed || this.#busy >= this.#options.concurrency) return;
    clearTimeout(this.#timer);
    const now = this.#options.now();
    while (this.#busy < this.#options.concurrency) {
      const item = this.#waiting.take(({ notBefore }) => notBefore <= now);
      if (!item) return this.#sleep(now);
      void this.#send(item, item.wanted!);
    }
  }

  #sleep(now: number): void {
    let next = Infinity;
    for (const { notBefore } of this.#waiting) next = Math.min(next, notBefore);
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.#pump(), next - now);
  }

  async #send(item: Item, report: StatusReport): Promise<void> {
    const { log, now, gapMs } = this.#options;
    item.busy = true;
    this.#busy++;
    try {
      await this.#options.write(report);
      item.sent = report.status;
      item.sentAt = now();
      item.failures = 0;
      item.notBefore = now() + gapMs;
      if (item.wanted === report) item.wanted = undefined;
    } catch (error) {
      // Gone: the cache will tell.
      if (isStatus(error, 404) && item.wanted === report) item.wanted = undefined;
      item.failures++;
      // Somebody else wrote to the object: its new version is on its way to the cache.
      const first = isStatus(error, 409) ? CONFLICT_MS : FIRST_BACKOFF_MS;
      item.notBefore = now() + Math.min(MAX_BACKOFF_MS, first * 2 ** Math.min(item.failures, 10));
      log.warn({ key: item.key, err: error, failures: item.failures }, 'status was not written');
    } finally {
      item.busy = false;
      this.#busy--;
      this.#queue(item);
      this.#pump();
    }
  }
}

/** As it would come back from the server: without undefined fields. */
function plain(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object;
}

/** The report as it may be written to this object, of which it speaks; undefined where that is gone or another. */
export function versioned(
  report: StatusReport,
  known: { metadata: { uid?: string; resourceVersion?: string } } | undefined,
): StatusReport | undefined {
  if (known?.metadata.uid === undefined || known.metadata.uid !== report.metadata.uid) return undefined;
  return { ...report, metadata: { ...report.metadata, resourceVersion: known.metadata.resourceVersion } };
}
