/**
 * A store that follows the API server for as long as the process lives: lists in pages, watches with bookmarks, goes on from
 * the last resource version after any break, lists anew after 410, and backs off when the server does not answer.
 */
import type { ApiClient } from './client.ts';
import { isGone, isStatus } from './errors.ts';
import type { Log } from './log.ts';
import { keyOf, resourcePath, type KubeObject, type Resource } from './resources.ts';
import { MutableStore, type Change, type Indexes, type Store } from './store.ts';
import { watchEvents } from './watch.ts';

export interface InformerOptions<T> {
  client: ApiClient;
  resource: Resource;
  /** Only this namespace; without it all. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  indexes?: Indexes<T>;
  /** What to keep of an object; managedFields are dropped in any case. */
  transform?: (object: T) => T;
  /** Told of each change after the store has it, and of every object at each resync. May throw: it is logged. */
  onChange?: (key: string, after: T | undefined, before: T | undefined) => void;
  log: Log;
  /** How often every object is told of again; a second net for events that were lost. */
  resyncMs?: number;
  silenceMs?: number;
}

export interface Informer<T> {
  readonly store: Store<T>;
  /** Resolves when everything has been listed once, or the informer is stopped. */
  whenSynced(): Promise<void>;
  stop(): Promise<void>;
}

const PAGE = 500;
const BACKOFF_MS = { first: 200, most: 30_000 };
const RESYNC_MS = 10 * 60_000;

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

  const tell = ({ key, after, before }: Change<T>) => {
    try {
      options.onChange?.(key, after, before);
    } catch (error) {
      log.error({ err: error, path, key }, 'a change could not be handled');
    }
  };
  /** Items of a list say neither what they are nor of which version. */
  const keep = (object: T): T => {
    const whole = { ...object, apiVersion: resource.apiVersion, kind: resource.kind };
    delete (whole.metadata as { managedFields?: unknown }).managedFields;
    return options.transform ? options.transform(whole) : whole;
  };

  async function list(): Promise<string> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const query = { ...selectors, limit: PAGE, continue: next };
      const page: List<T> = await client.request('GET', path, { query, signal: stopping.signal });
      items.push(...page.items);
      next = page.metadata.continue;
      if (!next) {
        for (const change of store.replace(items.map(keep))) tell(change);
        synced.resolve();
        return page.metadata.resourceVersion;
      }
    }
  }

  /** Returns the resource version to go on from when the server ends the watch; each event is progress. */
  async function watch(from: string, onProgress: (resourceVersion: string) => void): Promise<void> {
    // a server ends watches when it pleases; jitter keeps a thousand of them from coming back at once
    const timeoutSeconds = Math.round(300 + Math.random() * 300);
    const query = { ...selectors, resourceVersion: from, timeoutSeconds };
    for await (const { type, object } of watchEvents<T>(client, path, query, stopping.signal, options.silenceMs)) {
      onProgress(object.metadata.resourceVersion!);
      if (type === 'BOOKMARK') continue;
      const change = type === 'DELETED' ? store.delete(keep(object)) : store.put(keep(object));
      if (change) tell(change);
    }
  }

  async function run(): Promise<void> {
    let version: string | undefined;
    let failures = 0;
    while (!stopping.signal.aborted) {
      try {
        version ??= await list();
        await watch(version, (resourceVersion) => {
          version = resourceVersion;
          failures = 0;
        });
        // a proxy that ends every watch at once must not be asked in a tight loop
        await pause(BACKOFF_MS.first, stopping.signal);
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (isGone(error)) version = undefined;
        // a CRD that went away and came back counts resource versions of other objects
        if (isStatus(error, 404)) version = undefined;
        failures++;
        const backoff = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** Math.min(failures - 1, 10));
        const asked =
          error instanceof Error && 'retryAfterMs' in error ? (error.retryAfterMs as number | undefined) : 0;
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

/** Resolves after that time, or at once when the signal fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
