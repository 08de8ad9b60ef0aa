/** The entries of the ledger while a pass decides, and what rules ask of them without looking at all. */
import { portKey } from '../../crds/rspec.ts';
import { Holdings, type Weight } from './holdings.ts';
import type { Entry } from './ledger.ts';
import { isOwnPart } from './split.ts';
import type { Timeline } from './timeline.ts';

/** By what they are found, then by uid. */
type Index = Map<string, Map<string, Entry>>;

/** By uid; a namespace, a parent or a port finds its entries too. Sums are made when first asked for, and kept from then on. */
export class Register extends Map<string, Entry> {
  readonly #byNamespace: Index = new Map();
  readonly #byParent: Index = new Map();
  readonly #byPort: Index = new Map();
  readonly #named: ReadonlySet<string> | undefined;
  #all: Holdings | undefined;
  #others: Holdings | undefined;
  readonly #holdings = new Map<string, Holdings>();
  readonly #parts = new Map<string, Holdings>();
  #aside: ReadonlySet<string> = new Set();

  constructor(entries: readonly Entry[] = [], named?: ReadonlySet<string>) {
    super();
    this.#named = named;
    for (const entry of entries) {
      super.set(entry.uid, entry);
      for (const [index, key] of this.#places(entry)) put(index, key, entry);
    }
  }

  override set(uid: string, entry: Entry): this {
    const before = this.get(uid);
    this.#forget(before);
    // in its place, where it was there
    super.set(uid, entry);
    for (const [index, key] of this.#places(entry)) put(index, key, entry);
    for (const holdings of this.#of(entry)) holdings.book(entry);
    const isSame = before?.namespace === entry.namespace && before.grant?.parent === entry.grant?.parent;
    if (!isSame) this.#weighBelow(uid);
    return this;
  }

  override delete(uid: string): boolean {
    this.#forget(this.get(uid));
    const had = super.delete(uid);
    this.#weighBelow(uid);
    return had;
  }

  /** Of what is taken from the node. */
  get timeline(): Timeline {
    this.#all ??= this.#hold(this.values(), ({ grant }) => (grant?.parent === undefined ? 'Whole' : 'Part'));
    return this.#all.timeline;
  }

  /** Of what namespaces that are not `named` have together, parts of the others' rights too. */
  get others(): Timeline {
    return this.#heldByOthers().timeline;
  }

  /** Of what a namespace has: each part of its own rights only once, and parts of others' rights as its own. */
  timelineOf(namespace: string): Timeline {
    return this.#heldIn(namespace).timeline;
  }

  /** Of what is split from a right. */
  timelineOfParts(uid: string): Timeline {
    const known = this.#parts.get(uid) ?? this.#hold(this.partsOf(uid), () => 'Whole');
    this.#parts.set(uid, known);
    return known.timeline;
  }

  /** Everything of a namespace, granted or not. */
  inNamespace(namespace: string): Entry[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
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
    this.#aside = new Set(uids);
    for (const entry of entries) for (const holdings of this.#of(entry)) holdings.strike(entry.uid);
    try {
      return ask();
    } finally {
      this.#aside = new Set();
      for (const entry of entries) for (const holdings of this.#of(entry)) holdings.book(entry);
    }
  }

  /** What is asked while all that is split from a right is part of what a namespace holds, as if the right were its own. */
  asHeldIn<T>(namespace: string, uid: string, ask: () => T): T {
    const below = this.#below(uid).map((one) => one.uid);
    if (below.length === 0) return ask();
    const own = () => this.#heldIn(namespace).asParts(below, ask);
    return this.#isOther(namespace) ? this.#heldByOthers().asParts(below, own) : own();
  }

  #heldIn(namespace: string): Holdings {
    const isIt = (one: string): boolean => one === namespace;
    const known =
      this.#holdings.get(namespace) ??
      this.#hold(this.inNamespace(namespace), (entry) => (isOwnPart(this, entry, isIt) ? 'Part' : 'Whole'));
    this.#holdings.set(namespace, known);
    return known;
  }

  #heldByOthers(): Holdings {
    const isOther = this.#isOther.bind(this);
    this.#others ??= this.#hold(this.values(), (entry) => {
      if (!isOther(entry.namespace)) return undefined;
      return isOwnPart(this, entry, isOther) ? 'Part' : 'Whole';
    });
    return this.#others;
  }

  /** What is aside comes back by itself. */
  #hold(entries: Iterable<Entry>, weigh: (entry: Entry) => Weight): Holdings {
    return new Holdings(
      [...entries].filter(({ uid }) => !this.#aside.has(uid)),
      weigh,
    );
  }

  /** What is kept by now and counts an entry. */
  #of({ namespace, grant }: Entry): Holdings[] {
    const parts = grant?.parent === undefined ? undefined : this.#parts.get(grant.parent);
    const others = this.#isOther(namespace) ? this.#others : undefined;
    return [this.#all, others, this.#holdings.get(namespace), parts].filter((one) => one !== undefined);
  }

  /** What is split from a right, from that, and so on. */
  #below(uid: string): Entry[] {
    const below = new Map<string, Entry>();
    const next = [uid];
    for (let of = next.pop(); of !== undefined; of = next.pop()) {
      for (const part of this.#byParent.get(of)?.values() ?? []) {
        if (below.has(part.uid)) continue;
        below.set(part.uid, part);
        next.push(part.uid);
      }
    }
    return [...below.values()];
  }

  /** Whose own part something is goes by what is above it. */
  #weighBelow(uid: string): void {
    if (this.#holdings.size === 0 && !this.#others) return;
    for (const entry of this.#below(uid)) for (const holdings of this.#of(entry)) holdings.book(entry);
  }

  #forget(entry: Entry | undefined): void {
    if (!entry) return;
    for (const [index, key] of this.#places(entry)) index.get(key)?.delete(entry.uid);
    for (const holdings of this.#of(entry)) holdings.strike(entry.uid);
  }

  /** Nobody is where nobody is named: then nothing is asked of it. */
  #isOther(namespace: string): boolean {
    return this.#named !== undefined && !this.#named.has(namespace);
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
