/** What an informer knows, with indexes; it never goes back in time. */
import { keyOf, type KubeObject } from './resources.ts';

export interface Store<T> {
  /** By `namespace/name`, or `name` for what is cluster-scoped. */
  get(key: string): T | undefined;
  list(): T[];
  byIndex(name: string, value: string): T[];
  /** Whether everything has been listed once; before that, what is missing here may well exist. */
  readonly synced: boolean;
}

/** By name, the values under which an object is found. Must not throw. */
export type Indexes<T> = Readonly<Record<string, (object: T) => string[]>>;

export interface Change<T> {
  key: string;
  before: T | undefined;
  after: T | undefined;
}

export class MutableStore<T extends KubeObject> implements Store<T> {
  synced = false;
  readonly #objects = new Map<string, T>();
  readonly #indexers: Indexes<T>;
  readonly #indexed = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexes<T> = {}) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#indexed.set(name, new Map());
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexed.get(name);
    if (!index) throw new Error(`there is no index ${name}`);
    return [...(index.get(value) ?? [])].map((key) => this.#objects.get(key)!);
  }

  /** The change that this makes, or undefined where the store already knows as much or more. */
  put(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    return before && !isNewer(object, before) ? undefined : this.#set(key, before, object);
  }

  /** As `put`; an event that tells of an older object of the name than the one known deletes nothing. */
  delete(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (!before) return undefined;
    const older = compareVersions(object.metadata.resourceVersion, before.metadata.resourceVersion) < 0;
    if (before.metadata.uid !== object.metadata.uid && older) return undefined;
    this.#unindex(key, before);
    this.#objects.delete(key);
    return { key, before, after: undefined };
  }

  /**
   * A whole list takes the place of what is known; the changes that this makes.
   * @param goBack also where the list is the older one: etcd was restored from a backup, and the past is the truth now
   */
  replace(objects: readonly T[], goBack = false): Change<T>[] {
    const listed = new Set(objects.map(keyOf));
    const changes = objects.map((object) => {
      const key = keyOf(object);
      return goBack ? this.#set(key, this.#objects.get(key), object) : this.put(object);
    });
    for (const [key, object] of this.#objects) {
      if (!listed.has(key)) changes.push(this.delete(object));
    }
    this.synced = true;
    return changes.filter((change) => change !== undefined);
  }

  #set(key: string, before: T | undefined, after: T): Change<T> {
    // before anything is changed: an indexer that throws must leave the store whole
    const entries = Object.entries(this.#indexers).map(([name, indexer]) => [name, indexer(after)] as const);
    this.#unindex(key, before);
    this.#objects.set(key, after);
    for (const [name, values] of entries) {
      const index = this.#indexed.get(name)!;
      for (const value of values) index.set(value, (index.get(value) ?? new Set()).add(key));
    }
    return { key, before, after };
  }

  #unindex(key: string, object: T | undefined): void {
    if (!object) return;
    for (const [name, indexer] of Object.entries(this.#indexers)) {
      const index = this.#indexed.get(name)!;
      for (const value of indexer(object)) {
        const keys = index.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index.delete(value);
      }
    }
  }
}

/** A server that lags behind may show an object as it was; another uid under the same name is another object. */
function isNewer({ metadata: object }: KubeObject, { metadata: known }: KubeObject): boolean {
  const order = compareVersions(object.resourceVersion, known.resourceVersion);
  return object.uid === known.uid ? order > 0 : order >= 0;
}

/**
 * Below 0 where the first is the older one. Resource versions of one cluster are numbers that grow (KEP-5504 says so at last);
 * of others only their being different tells anything, and whatever comes then counts as newer.
 */
export function compareVersions(one: string | undefined, other: string | undefined): number {
  if (one === other) return 0;
  if (!isNumber(one) || !isNumber(other)) return 1;
  return BigInt(one) < BigInt(other) ? -1 : 1;
}

const isNumber = (text: string | undefined): text is string => text !== undefined && /^\d+$/.test(text);
