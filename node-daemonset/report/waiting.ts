/** What waits to be written, of many namespaces: each has its turn, so that none waits for all that another has. */

/** In the order in which they came, each namespace and what waits of it. */
export class Waiting<T extends { namespace: string }> {
  readonly #byNamespace = new Map<string, Set<T>>();
  readonly #first: string;

  /** `first`: the namespace that waits for no other. */
  constructor(first: string) {
    this.#first = first;
  }

  /** At the end of its namespace's; what waits already stays where it is. */
  add(one: T): void {
    const own = this.#byNamespace.get(one.namespace);
    if (own) own.add(one);
    else this.#byNamespace.set(one.namespace, new Set([one]));
  }

  delete(one: T): void {
    const own = this.#byNamespace.get(one.namespace);
    if (own?.delete(one) && own.size === 0) this.#byNamespace.delete(one.namespace);
  }

  /** Takes out the one of the next namespace that waited longest and is ready; its namespace is the last now. */
  take(isReady: (one: T) => boolean): T | undefined {
    const taken = this.#takeOf(this.#first, isReady);
    if (taken) return taken;
    for (const namespace of this.#byNamespace.keys()) {
      const next = this.#takeOf(namespace, isReady);
      if (next) return next;
    }
    return undefined;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const own of this.#byNamespace.values()) yield* own;
  }

  #takeOf(namespace: string, isReady: (one: T) => boolean): T | undefined {
    const own = this.#byNamespace.get(namespace);
    if (!own) return undefined;
    for (const one of own) {
      if (!isReady(one)) continue;
      own.delete(one);
      this.#byNamespace.delete(namespace);
      if (own.size > 0) this.#byNamespace.set(namespace, own);
      return one;
    }
    return undefined;
  }
}
