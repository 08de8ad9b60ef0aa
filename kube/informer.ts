/**
 * A store that follows the API server for as long as the process lives: lists in pages, watches with bookmarks, goes on from
 * the last resource version after any break, lists anew after 410, and backs off when the server does not answer.
 */
import type { ApiClient } from './client.ts';
import { ApiError, isGone, isStatus, TooLargeError } from './errors.ts';
import type { Log } from './log.ts';
import { pause } from './pause.ts';
import { reduceMetadata } from './reduce.ts';
import { keyOf, resourcePath, type KubeObject, type Resource } from './resources.ts';
import { compareVersions, MutableStore, type Change, type Indexes, type Store } from './store.ts';
import { SilentWatchError, watchEvents } from './watch.ts';

export interface InformerOptions<T> {
  client: ApiClient;
  resource: Resource;
  /** Only this namespace; without it all. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  indexes?: Indexes<T>;
  /** What to keep of an object; of its metadata only what is read is kept in any case. */
  transform?: (object: T) => T;
  /**
   * Told of each change after the store has it, and of every object at each resync. Another object under the same name is told
   * of as the end of the first, then as a new one. May throw: it is logged.
   */
  onChange?: (key: string, after: T | undefined, before: T | undefined) => void;
  log: Log;
  /** How often every object is told of again; a second net for events that were lost. */
  resyncMs?: number;
  silenceMs?: number;
  quietMs?: number;
}

export interface Informer<T> {
  readonly store: Store<T>;
  /** Resolves when everything has been listed once, or the informer is stopped. */
  whenSynced(): Promise<void>;
  stop(): Promise<void>;
}

/** Objects on the first page of a list; fewer where so many are too large for one answer. */
const PAGE = 500;
const BACKOFF_MS = { first: 200, most: 30_000 };
const RESYNC_MS = 10 * 60_000;
/** A watch that ends sooner, without an event, counts as a failure: it would be asked for five times a second. */
const SHORT_WATCH_MS = 1_000;
/** Nothing was heard for so long: only a list tells whether that is the truth. A watch that merely ends is resumed. */
const QUIET_MS = 30 * 60_000;
/** Lists older than what is known that are refused in a row, with back-off (some seconds); the next one is believed. */
const REFUSED_PASTS = 4;

interface List<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

export function startInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { client, resource, log } = options;
  const path = resourcePath(resource, { namespace: options.namespace });
  const selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  const store = new MutableStore<T>(options.indexes);
  const stopping = new AbortController();
  const synced = Promise.withResolvers<void>();

  let pageSize = PAGE;
  /** The latest version of any list or event. */
  let newest = '0';
  let pasts = 0;
  /** When anything came last, by the monotonic clock. */
  let heard = performance.now();
  // jitter keeps a thousand informers that were started together from listing together
  const quietMs = (options.quietMs ?? QUIET_MS) * (1 + Math.random() / 2);

  const tell = ({ key, after, before }: Change<T>) => {
    try {
      if (after && before && after.metadata.uid !== before.metadata.uid) {
        options.onChange?.(key, undefined, before);
        options.onChange?.(key, after, undefined);
      } else {
        options.onChange?.(key, after, before);
      }
    } catch (error) {
      log.error({ err: error, path, key }, 'a change could not be handled');
    }
  };
  /** What the store gets of an object; items of a list say neither what they are nor of which version. */
  const keep = (object: T): T => {
    const typed = { ...object, apiVersion: resource.apiVersion, kind: resource.kind };
    const whole = { ...typed, metadata: reduceMetadata(typed) };
    try {
      return options.transform?.(whole) ?? whole;
    } catch (error) {
      // one odd object must not keep the others from being seen
      log.error({ err: error, path, key: keyOf(whole) }, 'an object could not be reduced and is kept whole');
      return whole;
    }
  };
  const advance = (version: string) => {
    if (compareVersions(version, newest) > 0) newest = version;
  };

  /** A page may be of another size than the one before it. */
  async function readPage(next: string | undefined): Promise<List<T>> {
    for (;;) {
      try {
        const query = { ...selectors, limit: pageSize, continue: next };
        return await client.request('GET', path, { query, signal: stopping.signal });
      } catch (error) {
        if (!(error instanceof TooLargeError) || pageSize === 1) throw error;
        pageSize = Math.floor(pageSize / 4) || 1;
        log.warn({ path, pageSize }, 'a page of the list was too large: smaller ones are asked for');
      }
    }
  }

  /** A quorum read: nothing that this process has seen can be missing in it, unless the server went back. */
  async function list(): Promise<string> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const page = await readPage(next);
      // reduced page by page: whole, all of them together need not fit
      items.push(...page.items.map(keep));
      next = page.metadata.continue;
      if (!next) {
        const { resourceVersion } = page.metadata;
        const older = compareVersions(resourceVersion, newest) < 0;
        if (older && pasts++ < REFUSED_PASTS) {
          throw new Error(`GET ${path}: the list is of version ${resourceVersion}, and ${newest} was seen already`);
        }
        if (older) log.error({ path, resourceVersion, newest }, 'the server went back in time and was followed');
        pasts = 0;
        heard = performance.now();
        newest = resourceVersion;
        for (const change of store.replace(items, older)) tell(change);
        synced.resolve();
        return resourceVersion;
      }
    }
  }

  /** Returns the resource version to go on from when the server ends the watch; each event is progress. */
  async function watch(from: string, onProgress: (resourceVersion: string) => void): Promise<void> {
    // a server ends watches when it pleases; jitter keeps a thousand of them from coming back at once
    const timeoutSeconds = Math.round(300 + Math.random() * 300);
    const query = { ...selectors, resourceVersion: from, timeoutSeconds };
    const began = performance.now();
    let events = 0;
    for await (const { type, object } of watchEvents<T>(client, path, query, stopping.signal, options.silenceMs)) {
      events++;
      heard = performance.now();
      if (type !== 'BOOKMARK') {
        const change = type === 'DELETED' ? store.delete(object) : store.put(keep(object));
        if (change) tell(change);
      }
      // only now: an event that could not be kept comes again
      advance(object.metadata.resourceVersion!);
      onProgress(object.metadata.resourceVersion!);
    }
    if (events === 0 && performance.now() - began < SHORT_WATCH_MS) throw new Error(`WATCH ${path}: ended at once`);
  }

  async function run(): Promise<void> {
    let version: string | undefined;
    let failures = 0;
    while (!stopping.signal.aborted) {
      try {
        if (performance.now() - heard > quietMs) version = undefined;
        version ??= await list();
        await watch(version, (resourceVersion) => {
          version = resourceVersion;
          failures = 0;
        });
        await pause(BACKOFF_MS.first, stopping.signal);
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (error instanceof SilentWatchError) {
          // servers before 1.21 send no bookmarks where nothing changes: that is no failure, and no reason to list
          log.debug({ path }, 'a silent watch was started again');
          continue;
        }
        // too old to go on from; or the CRD was removed, and what comes back under its name are other objects
        if (isGone(error) || isStatus(error, 404)) version = undefined;
        failures++;
        const backoff = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** Math.min(failures - 1, 10));
        const asked = error instanceof ApiError ? error.retryAfterMs : 0;
        log.warn({ path, failures, err: (error as Error).message }, 'a watch broke and is started again');
        await pause(Math.max(asked ?? 0, backoff * (0.5 + Math.random() / 2)), stopping.signal);
      }
    }
  }

  const resync = setInterval(() => {
    for (const object of store.list()) tell({ key: keyOf(object), before: object, after: object });
  }, options.resyncMs ?? RESYNC_MS);
  const running = run();

  return {
    store,
    whenSynced: () => synced.promise,
    async stop() {
      clearInterval(resync);
      stopping.abort();
      synced.resolve();
      await running;
    },
  };
}
