/** The entries of the ledger while a pass decides, and what rules ask of them without looking at all. */
import { portKey } from '../../crds/rspec.ts';
import type { Entry } from './ledger.ts';
import { Timeline } from './timeline.ts';

/** By what they are found, then by uid. */
type Index = Map<string, Map<string, Entry>>;

/** By uid; a namespace, a parent or a port finds its entries too. */
export class Register extends Map<string, Entry> {
  readonly #byNamespace: Index = new Map();
  readonly #byParent: Index = new Map();
  readonly #byPort: Index = new Map();
  readonly #timelines = new Map<string, Timeline>();
  /** Of what is taken from the node. */
  readonly timeline: Timeline;
  readonly #named: ReadonlySet<string> | undefined;
  /** Of what namespaces that are not `named` take from it. */
  readonly others: Timeline;

  constructor(entries: readonly Entry[] = [], named?: ReadonlySet<string>) {
    super();
    this.#named = named;
    this.others = new Timeline(entries.flatMap((entry) => (this.#isOther(entry) ? (entry.grant ?? []) : [])));
    this.timeline = new Timeline(entries.flatMap(({ grant }) => grant ?? []));
    for (const [namespace, own] of Map.groupBy(entries, (entry) => entry.namespace)) {
      this.#timelines.set(namespace, new Timeline(own.flatMap(({ grant }) => grant ?? [])));
    }
    for (const entry of entries) {
      super.set(entry.uid, entry);
      for (const [index, key] of this.#places(entry)) put(index, key, entry);
    }
  }

  override set(uid: string, entry: Entry): this {
    this.#forget(uid);
    // in its place, where it was there
    super.set(uid, entry);
    for (const [index, key] of this.#places(entry)) put(index, key, entry);
    this.#book(entry);
    return this;
  }

  override delete(uid: string): boolean {
    this.#forget(uid);
    return super.delete(uid);
  }

  /** Of what a namespace takes from the node: not of what it has of others' rights. */
  timelineOf(namespace: string): Timeline {
    const known = this.#timelines.get(namespace) ?? new Timeline();
    this.#timelines.set(namespace, known);
    return known;
  }

  /** Everything of a namespace, granted or not. */
  inNamespace(namespace: string): Entry[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }

  /** Everything that is split from something. */
  parts(): Entry[] {
    return [...this.#byParent.values()].flatMap((own) => [...own.values()]);
  }

  /** What is split from a right. */
  partsOf(uid: string): Entry[] {
    return [...(this.#byParent.get(uid)?.values() ?? [])];
  }

  /** What holds a port at some time; `key`: as `portKey` has it. */
  withPort(key: string): Entry[] {
    return [...(this.#byPort.get(key)?.values() ?? [])];
  }

  /** What is asked while these are taken off the sums: their places would be taken. */
  aside<T>(uids: readonly string[], ask: () => T): T {
    const entries = uids.flatMap((uid) => this.get(uid) ?? []);
    for (const entry of entries) this.#strike(entry);
    try {
      return ask();
    } finally {
      for (const entry of entries) this.#book(entry);
    }
  }

  #forget(uid: string): void {
    const entry = this.get(uid);
    if (!entry) return;
    for (const [index, key] of this.#places(entry)) index.get(key)?.delete(uid);
    this.#strike(entry);
  }

  /** Nothing where nobody is named: then nothing is asked of it. */
  #isOther({ namespace }: Entry): boolean {
    return this.#named !== undefined && !this.#named.has(namespace);
  }

  #book(entry: Entry): void {
    const { namespace, grant } = entry;
    if (!grant) return;
    if (this.#isOther(entry)) this.others.add(grant);
    this.timeline.add(grant);
    this.timelineOf(namespace).add(grant);
  }

  #strike(entry: Entry): void {
    const { namespace, grant } = entry;
    if (!grant) return;
    if (this.#isOther(entry)) this.others.remove(grant);
    this.timeline.remove(grant);
    this.timelineOf(namespace).remove(grant);
  }

  #places({ namespace, grant }: Entry): [Index, string][] {
    const places: [Index, string][] = [[this.#byNamespace, namespace]];
    if (grant?.parent !== undefined) places.push([this.#byParent, grant.parent]);
    for (const port of grant?.amounts.ports ?? []) places.push([this.#byPort, portKey(port)]);
    return places;
  }
}

function put(index: Index, key: string, entry: Entry): void {
  const known = index.get(key);
  if (known) known.set(entry.uid, entry);
  else index.set(key, new Map([[entry.uid, entry]]));
}
