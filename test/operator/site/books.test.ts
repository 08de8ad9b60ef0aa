import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { LABEL_SITE } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec } from '../../../crds/types.ts';
import { MutableStore } from '../../../kube/store.ts';
import type { KubeObject } from '../../../kube/resources.ts';
import { Books } from '../../../operator/site/books.ts';
import { heldBy } from '../../../operator/site/held.ts';
import { Profile } from '../../../operator/site/profile.ts';
import { parseSiteShares } from '../../../operator/site/sites.ts';
import { planDefaultBroker } from '../../../operator/brokers/default/plan.ts';
import { gather } from '../../../operator/slice/gather.ts';
import type { Effect } from '../../../operator/slice/plan/input.ts';
import { planSlice } from '../../../operator/slice/plan/plan.ts';
import { Taken } from '../../../operator/slice/taken.ts';
import { watched, type Stores } from '../../../operator/stores.ts';
import { aNode, aSlice, at, condition, denied, granted, NOW } from '../slice/objects.ts';

const NODES = new Map(['n1', 'n2', 'n3'].map((name) => [name, aNode(name)]));
const SHARES = parseSiteShares('50', '{"mit":100}', '{"lonely":10}');
const POOL = 300;
/** `make nightly` has 100,000. */
const RUNS = Number(process.env['LEDGER_RUNS'] ?? 2000);

/** An API server whose writes the stores show at once, and an operator that may have decided more than it has written. */
class World {
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
        const spec = apply((right as ResourceCapability).spec, effect.patch['spec']);
        this.put('capabilities', { ...right, metadata: { ...right.metadata, generation }, spec } as KubeObject);
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
    const keeps = { ...granted(right), status: { ...right.status!, observedGeneration: right.metadata.generation! } };
    const refused = before ? keeps : denied(right, 600_000);
    this.put('capabilities', isGranted ? granted(right) : refused);
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

  /** Of site mit, at the busiest instant. */
  held(): number {
    const own = this.rights().filter(({ metadata }) => metadata.namespace === 'a' || metadata.namespace === 'b');
    return new Profile(own.flatMap(heldBy)).most(-Infinity, Infinity);
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

/** A merge patch of a spec. */
function apply(before: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch ?? undefined;
  const after: Record<string, unknown> = { ...(before as object) };
  for (const [name, value] of Object.entries(patch)) {
    after[name] = apply(after[name], value);
    if (after[name] === undefined) delete after[name];
  }
  return after;
}

const shares = (each: number): Partial<SliceSpec> => ({ resources: { cpu: { shares: each } } });

describe('the books of sites', () => {
  it('have one pool for all namespaces of a label, and one for each other namespace', () => {
    const world = new World();
    const pool = (namespace: string) => {
      const { site, perNode, nodes, others } = world.books.poolOf(world.slice(namespace, 'web', shares(1)), 3);
      return [site, perNode * nodes, others.length];
    };
    assert.deepEqual(pool('a'), ['site mit', 300, 0]);
    assert.deepEqual(pool('b'), ['site mit', 300, 1]);
    assert.deepEqual(pool('mit'), ['namespace mit', 150, 0], 'a name is no label');
    world.namespace('lonely', {});
    assert.deepEqual(pool('lonely'), ['namespace lonely', 30, 0]);
  });

  it('know what was decided before the stores do', () => {
    const world = new World();
    world.slice('a', 'first', shares(80));
    world.slice('b', 'second', shares(80));
    assert.equal(world.plan('a/first')!.effects.length, 3);
    const { effects, allocated } = world.plan('b/second')!;
    assert.deepEqual([effects.length, allocated.reason], [0, 'InsufficientSiteShares']);
    assert.equal(
      allocated.message,
      '0 of 3 granted; 3 nodes not asked (n1, n2, n3): asks 80 shares on each, site mit has a pool of 300 ' +
        '(100 for each of 3 nodes), a/first holds 240, 60 free',
    );
  });

  it('know after a restart what rights show', () => {
    const world = new World();
    world.slice('a', 'first', shares(80), 2);
    world.settle(['a/first']);
    world.books = world.start();
    world.slice('a', 'older', shares(80), 1);
    assert.equal(world.plan('a/older')!.effects.length, 0);
  });

  it('wake whoever was refused when somebody gives back', () => {
    const world = new World();
    world.slice('a', 'first', shares(80));
    world.slice('b', 'second', shares(80));
    world.settle(['a/first', 'b/second']);
    world.woken.length = 0;
    world.edit('a/first', shares(20));
    world.plan('a/first');
    world.write('a/first');
    world.settle(['a/first']);
    assert.ok(world.woken.includes('b/second'));
    world.settle(['b/second']);
    assert.equal(world.held(), 60 + 240);
    world.woken.length = 0;
    world.remove('a/first');
    world.plan('a/first');
    assert.deepEqual(world.woken, [], 'nobody is left who was refused');
  });

  it('keep nothing for a slice that is being deleted, but what it has', () => {
    const world = new World();
    world.slice('a', 'older', { ...shares(80), placement: { count: 1 } }, 1);
    world.settle(['a/older']);
    world.edit('a/older', shares(301));
    world.settle(['a/older']);
    const last = world.slice('b', 'last', shares(1), 9);
    const seen = () => world.books.poolOf(last, 3).others.map(({ held, wants }) => [held[0]?.shares, wants.length]);
    assert.deepEqual(seen(), [[80, 1]]);
    const slice = world.stores.slices.get('a/older')!;
    world.put('slices', { ...slice, metadata: { ...slice.metadata, generation: 3, deletionTimestamp: at(0) } });
    assert.deepEqual(seen(), [[80, 0]]);
    assert.equal(world.books.poolOf(last, 3).isWaiting, false);
  });

  it('wait for an older slice that was not looked at, but not for ever', () => {
    const world = new World();
    world.slice('a', 'older', shares(80), 1);
    world.slice('a', 'younger', shares(80), 2);
    const { effects, allocated } = world.plan('a/younger')!;
    assert.deepEqual([effects.length, allocated.reason], [0, 'WaitingForNodes']);
    world.clock = 5_000;
    assert.equal(world.plan('a/younger')!.effects.length, 3);
  });

  it('give to the older one in whatever order they are looked at', () => {
    for (const order of [
      ['a/s1', 'b/s2', 'a/s3'],
      ['a/s3', 'b/s2', 'a/s1'],
      ['b/s2', 'a/s3', 'a/s1'],
    ]) {
      const world = new World();
      world.slice('a', 's1', shares(60), 1);
      world.slice('b', 's2', shares(50), 2);
      world.slice('a', 's3', shares(40), 3);
      world.settle(order);
      const by = Object.groupBy(world.rights(), ({ spec }) => spec.sliceName!);
      assert.deepEqual([by['s1']?.length, by['s2']?.length, by['s3']?.length], [3, 2, undefined]);
    }
  });

  it('never have more than the pool given away, whatever happens', () => {
    const key = fc.constantFrom('a/s1', 'a/s2', 'b/s3', 'b/s4');
    const window = fc.constantFrom(
      undefined,
      { end: at(10_000) },
      { start: at(10_000) },
      { start: at(5_000), end: at(20_000) },
    );
    const spec = fc
      .tuple(fc.integer({ min: 1, max: 250 }), window, fc.integer({ min: 0, max: 3 }))
      .map(([each, when, count]) => ({ ...shares(each), window: when, placement: { count } }));
    const step = fc.oneof(
      fc.record({ do: fc.constant('make' as const), key, spec }),
      fc.record({ do: fc.constant('edit' as const), key, spec }),
      fc.record({ do: fc.constant('remove' as const), key }),
      fc.record({ do: fc.constant('plan' as const), key }),
      fc.record({ do: fc.constant('write' as const), key }),
      fc.record({ do: fc.constant('answer' as const), index: fc.nat(9), granted: fc.boolean() }),
      fc.constant({ do: 'wait' as const }),
      fc.constant({ do: 'restart' as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
        const world = new World();
        const keys = ['a/s1', 'a/s2', 'b/s3', 'b/s4'];
        for (const one of steps) {
          if (one.do === 'make' && !world.stores.slices.get(one.key))
            world.slice(...(one.key.split('/') as [string, string]), one.spec);
          else if (one.do === 'edit') world.edit(one.key, one.spec);
          else if (one.do === 'remove') world.remove(one.key);
          else if (one.do === 'plan') world.plan(one.key);
          else if (one.do === 'write') world.write(one.key);
          else if (one.do === 'answer') world.answer(one.index, one.granted);
          else if (one.do === 'wait') world.clock += 5_000;
          else {
            // a new leader knows what was written
            for (const each of keys) world.write(each);
            world.books = world.start();
          }
          assert.ok(world.held() <= POOL, `${world.held()} of ${POOL} after ${JSON.stringify(one)}`);
        }
        for (const each of keys) {
          world.write(each);
          world.remove(each);
          world.plan(each);
        }
        assert.equal(world.held(), 0);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("the owner's numbers", () => {
  it('are whole shares of a node', () => {
    assert.deepEqual(parseSiteShares('250', '', '{"a":0,"b":null}'), {
      each: 250,
      labelled: new Map(),
      namespaces: new Map([['a', 0]]),
    });
    for (const wrong of ['', '-1', '1001', '1.5', 'many']) {
      assert.throws(() => parseSiteShares(wrong, '', ''), /SITE_SHARES: .* give a whole one from 0 to 1000/);
    }
    assert.throws(() => parseSiteShares('1', '{"mit":"x"}', ''), /SITES_LABELLED: mit/);
  });

  it('hold for what a right has, or asks for as long as nobody answered', () => {
    const right = granted(aRightOf(5));
    assert.deepEqual(
      heldBy(right).map((one) => one.shares),
      [5],
    );
    const asking = { ...right, metadata: { ...right.metadata, generation: 2 }, spec: { ...right.spec, ...shares(9) } };
    assert.deepEqual(
      heldBy(asking as ResourceCapability).map((one) => one.shares),
      [5, 4],
    );
    assert.deepEqual(heldBy(denied(right)), []);
    assert.deepEqual(
      heldBy({ ...right, status: { conditions: [condition('Granted', 'False', 'Expired')], observedGeneration: 1 } }),
      [],
    );
  });
});

function aRightOf(each: number): ResourceCapability {
  return {
    apiVersion: 'slice-operator.io/v1alpha1',
    kind: 'ResourceCapability',
    metadata: { name: 'x', namespace: 'a', uid: 'x', generation: 1 },
    spec: { nodeName: 'n1', contact: 'ops@example.org', resources: shares(each).resources! },
  };
}
