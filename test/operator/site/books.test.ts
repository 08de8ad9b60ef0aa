/** What the books know of each site, and what they go by. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import { heldBy } from '../../../operator/site/held.ts';
import { parseSiteShares } from '../../../operator/site/sites.ts';
import { at, condition, denied, granted } from '../slice/objects.ts';
import { shares, World } from './world.ts';

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

  it('count what nodes hold still that did not grant the edit to less, also after a restart', () => {
    for (const refuse of [true, false]) {
      const world = new World();
      world.slice('a', 'first', shares(80), 1);
      world.settle(['a/first']);
      world.slice('b', 'second', shares(80), 2);
      for (const less of [20, 10]) {
        world.edit('a/first', shares(less));
        world.plan('a/first');
        world.write('a/first');
        // as where parts were split from it
        if (refuse) for (let i = 0; i < 3; i++) world.answer(0, false);
        world.books = world.start();
        world.plan('a/first');
        const { effects, allocated } = world.plan('b/second')!;
        assert.deepEqual([effects.length, world.held()], [0, 240], `${less}, ${refuse}`);
        assert.match(allocated.message, /a\/first holds 240, 60 free$/);
      }
      world.edit('a/first', shares(15));
      world.settle(['a/first', 'b/second']);
      assert.equal(world.held(), 45 + 240, 'granted, what was before counts no more');
    }
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
