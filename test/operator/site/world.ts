/** A site’s slices and rights, with nodes and writes that are stepped by hand. */
import { LABEL_SITE } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec, Window } from '../../../crds/types.ts';
import { MutableStore } from '../../../kube/store.ts';
import type { KubeObject } from '../../../kube/resources.ts';
import { Books } from '../../../operator/site/books.ts';
import { heldBy } from '../../../operator/site/held.ts';
import { beyond, type Piece, pieceOf, Profile } from '../../../operator/site/profile.ts';
import { parseSiteShares } from '../../../operator/site/sites.ts';
import { planDefaultBroker } from '../../../operator/brokers/default/plan.ts';
import { gather } from '../../../operator/slice/gather.ts';
import type { Effect } from '../../../operator/slice/plan/input.ts';
import { planSlice } from '../../../operator/slice/plan/plan.ts';
import { Taken } from '../../../operator/slice/taken.ts';
import { type Stores, watched } from '../../../operator/stores.ts';
import { aNode, aSlice, at, condition, denied, granted, NOW } from '../slice/objects.ts';

const NODES = new Map(['n1', 'n2', 'n3'].map((name) => [name, aNode(name)]));
const SHARES = parseSiteShares('50', '{"mit":100}', '{"lonely":10}');

/** An API server whose writes the stores show at once, and an operator that may have decided more than it has written. */
export class World {
  readonly stores = Object.fromEntries(
    Object.entries(watched('slice-system')).map(([kind, { indexes }]) => [kind, new MutableStore(indexes as never)]),
  ) as unknown as { [K in keyof Stores]: MutableStore<KubeObject> };
  readonly woken: string[] = [];
  /** ms of the books' clock */
  clock = 0;
  books = this.start();
  #version = 0;
  readonly #decided = new Map<string, Effect[]>();
  #uid = 0;
  /** By the right's uid: whatever its spec ever asked for. */
  readonly #asked = new Map<string, Piece[]>();

  constructor() {
    this.namespace('a', { [LABEL_SITE]: 'mit' });
    this.namespace('b', { [LABEL_SITE]: 'mit' });
    this.namespace('mit', {});
  }

  start(): Books {
    return new Books(
      SHARES,
      this.stores as unknown as Stores,
      () => this.clock,
      (key) => this.woken.push(key),
    );
  }

  /** With a version of its own, as each write gets. */
  put(store: 'slices' | 'capabilities', object: KubeObject): void {
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    if (store === 'capabilities') {
      const { uid = '' } = object.metadata;
      this.#asked.set(uid, [...(this.#asked.get(uid) ?? []), specOf(object as ResourceCapability)]);
    }
    this.stores[store].put({ ...object, metadata });
  }

  drop(store: 'slices' | 'capabilities', key: string): void {
    const object = this.stores[store].get(key);
    if (object) this.stores[store].delete(object);
  }

  namespace(name: string, labels: Record<string, string>): void {
    this.stores.namespaces.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }

  slice(namespace: string, name: string, spec: Partial<SliceSpec>, age = this.#uid): Slice {
    const slice = aSlice(spec);
    slice.metadata = {
      ...slice.metadata,
      namespace,
      name,
      uid: `uid-${++this.#uid}`,
      creationTimestamp: at(age * 1000),
    };
    this.put('slices', slice);
    return slice;
  }

  edit(key: string, spec: Partial<SliceSpec>): void {
    const slice = this.stores.slices.get(key) as Slice | undefined;
    if (!slice) return;
    const metadata = { ...slice.metadata, generation: slice.metadata.generation! + 1 };
    this.put('slices', { ...slice, metadata, spec: { ...slice.spec, ...spec } } as KubeObject);
  }

  /** Plans, unless what was decided before is not written yet. */
  plan(key: string) {
    if (this.#decided.has(key)) return undefined;
    const stores = this.stores as unknown as Stores;
    const input = gather(key, stores, NODES, {
      taken: new Taken(() => 0),
      bootScript: undefined,
      brokering: true,
      books: this.books,
    });
    if (!input) {
      this.books.forget(key);
      return undefined;
    }
    // the slice controller looks at it alike, before it and after it
    const told = planSlice(input, NOW).status([], NOW);
    const { effects, account } = planDefaultBroker(input, NOW);
    this.books.write(input.slice, account!);
    if (effects.length > 0) this.#decided.set(key, effects);
    return { effects, allocated: told.conditions!.find(({ type }) => type === 'Allocated')! };
  }

  /** What was decided for the slice is written. */
  write(key: string): void {
    for (const effect of this.#decided.get(key) ?? []) {
      if (effect.kind === 'create' || effect.kind === 'replace') {
        const metadata = { ...effect.object.metadata, uid: `uid-${++this.#uid}`, generation: 1 };
        this.put('capabilities', { ...effect.object, metadata });
      } else if (effect.kind === 'remove') this.drop('capabilities', `${effect.ref.namespace}/${effect.ref.name}`);
      else {
        const right = this.stores.capabilities.get(`${effect.ref.namespace}/${effect.ref.name}`)!;
        const generation = right.metadata.generation! + 1;
        const spec = apply((right as ResourceCapability).spec, effect.patch['spec'] ?? {});
        const metadata = apply(right.metadata, effect.patch['metadata'] ?? {}) as typeof right.metadata;
        this.put('capabilities', { ...right, metadata: { ...metadata, generation }, spec } as KubeObject);
      }
    }
    this.#decided.delete(key);
  }

  /** The node judges one of the rights, as often as it has not been judged yet. */
  answer(index: number, isGranted: boolean): void {
    const open = this.rights().filter(({ status, metadata }) => status?.observedGeneration !== metadata.generation);
    const right = open[index % Math.max(1, open.length)];
    if (!right) return;
    const before = right.status?.granted;
    const conditions = [condition('Granted', 'True', 'ResizeDenied')];
    const status = { ...right.status!, conditions, observedGeneration: right.metadata.generation! };
    const refused = before ? { ...right, status } : denied(right, 600_000);
    this.put('capabilities', isGranted ? granted(right) : refused);
  }

  /** The node n1 was stolen, and says of one of its rights what it likes. */
  lie(index: number, each: number, window: Window | undefined, reason: 'Granted' | 'ResizeDenied', seen: number): void {
    const own = this.rights().filter(({ spec }) => spec.nodeName === 'n1');
    const right = own[index % Math.max(1, own.length)];
    if (!right) return;
    const resources = { cpu: { shares: each } };
    const grant = { nodeUID: 'uid-of-n1', resources, ...(window && { window }), observedGeneration: 1 };
    const observedGeneration = Math.max(1, right.metadata.generation! - 1 + seen);
    const conditions = [condition('Granted', 'True', reason)];
    this.put('capabilities', { ...right, status: { observedGeneration, conditions, granted: grant } } as KubeObject);
  }

  /** What is counted of a right beyond all that it ever asked for. */
  beyondAsked(): Piece[] {
    return this.rights().flatMap((right) =>
      heldBy(right).flatMap((piece) => beyond(this.#asked.get(right.metadata.uid!)!, piece)),
    );
  }

  rights(): ResourceCapability[] {
    return this.stores.capabilities.list() as ResourceCapability[];
  }

  remove(key: string): void {
    if (this.#decided.has(key)) return;
    this.drop('slices', key);
    const [namespace, name] = key.split('/');
    for (const { metadata, spec } of this.rights()) {
      if (metadata.namespace === namespace && spec.sliceName === name)
        this.drop('capabilities', `${namespace}/${metadata.name}`);
    }
  }

  /** Of site mit, at the busiest instant, by what its nodes granted and were asked for and have not answered; `on`: by these alone. */
  held(on: readonly string[] = [...NODES.keys()]): number {
    const own = this.rights().filter(({ metadata, spec }) => {
      return (metadata.namespace === 'a' || metadata.namespace === 'b') && on.includes(spec.nodeName);
    });
    const pieces = own.flatMap((right) => {
      const { resources, window } = right.status?.granted ?? {};
      const has = right.status?.granted ? [pieceOf(resources?.cpu?.shares ?? 1, window)] : [];
      const isOpen = right.status?.observedGeneration !== right.metadata.generation;
      return isOpen ? [...has, ...beyond(has, specOf(right))] : has;
    });
    return new Profile(pieces).most(-Infinity, Infinity);
  }

  settle(keys: readonly string[]): void {
    for (let round = 0; round < 3; round++) {
      for (const key of keys) {
        this.plan(key);
        this.write(key);
      }
      for (let i = 0; i < 20; i++) this.answer(0, true);
    }
  }
}

function specOf({ spec }: ResourceCapability): Piece {
  return pieceOf(spec.resources?.cpu?.shares ?? 1, spec.window);
}

/** A merge patch. */
function apply(before: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch ?? undefined;
  const after: Record<string, unknown> = { ...(before as object) };
  for (const [name, value] of Object.entries(patch)) {
    after[name] = apply(after[name], value);
    if (after[name] === undefined) delete after[name];
  }
  return after;
}

/** So many shares on each node. */
export const shares = (each: number): Partial<SliceSpec> => ({ resources: { cpu: { shares: each } } });
