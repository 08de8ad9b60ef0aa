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
    if (before && !isNewer(object, before)) return undefined;
    this.#unindex(key, before);
    this.#objects.set(key, object);
    for (const [name, indexer] of Object.entries(this.#indexers)) {
      for (const value of indexer(object)) {
        const index = this.#indexed.get(name)!;
        const keys = index.get(value) ?? new Set();
        index.set(value, keys.add(key));
      }
    }
    return { key, before, after: object };
  }

  /** As `put`; an event that tells of an older object of the name than the one known deletes nothing. */
  delete(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (!before) return undefined;
    if (before.metadata.uid !== object.metadata.uid && version(object) < version(before)) return undefined;
    this.#unindex(key, before);
    this.#objects.delete(key);
    return { key, before, after: undefined };
  }

  /** A whole list takes the place of what is known; the changes that this makes. */
  replace(objects: readonly T[]): Change<T>[] {
    const listed = new Set(objects.map(keyOf));
    const changes = objects.map((object) => this.put(object));
    for (const [key, object] of this.#objects) {
      if (!listed.has(key)) changes.push(this.delete(object));
    }
    this.synced = true;
    return changes.filter((change) => change !== undefined);
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
function isNewer(object: KubeObject, known: KubeObject): boolean {
  if (object.metadata.uid !== known.metadata.uid) return version(object) >= version(known);
  return version(object) > version(known);
}

/** Resource versions of one cluster are numbers that grow (KEP-5504 says so at last); others compare as 0. */
function version(object: KubeObject): bigint {
  const text = object.metadata.resourceVersion ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
}
