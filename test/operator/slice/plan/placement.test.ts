import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { amounts } from '../../../../crds/rspec.ts';
import { rcapName } from '../../../../crds/names.ts';
import type { Placement, ResourceCapability } from '../../../../crds/types.ts';
import type { KubeObject } from '../../../../operator/kinds.ts';
import type { NodeState, SliceInput } from '../../../../operator/slice/plan/input.ts';
import { planPlacement } from '../../../../operator/slice/plan/placement.ts';
import { aNode, anInput, aRight, aSlice, denied, granted, NOW } from '../objects.ts';

const plan = (input: SliceInput, now = NOW) => planPlacement(input, () => amounts(input.slice.spec.resources), now);
const names = (rights: readonly ResourceCapability[]) => rights.map(({ spec }) => spec.nodeName).sort();
const nodes = (count: number, more: Partial<NodeState> = {}) =>
  Array.from({ length: count }, (_, index) => aNode(`n${index + 1}`, more));

describe('placement', () => {
  it('asks every matching node where no count is given', () => {
    const { acquire, wanted } = plan(anInput(aSlice(), nodes(3)));
    assert.deepEqual(
      acquire.map(({ node }) => node),
      ['n1', 'n2', 'n3'],
    );
    assert.equal(wanted, 3);
  });

  it('asks no node that is cordoned, lost, gone, or on its way out of a former right', () => {
    const slice = aSlice();
    const former = aRight(slice, 'n4');
    former.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
    const all = [
      aNode('n1', { cordoned: true }),
      aNode('n2', { lost: 'is not ready' }),
      aNode('n3', { uid: undefined, lost: 'is gone' }),
      aNode('n4'),
    ];
    assert.deepEqual(plan(anInput(slice, all, { capabilities: [former] })).acquire, []);
  });

  it('keeps a right through cordon, unreadiness, a new taint and the loss of the Node', () => {
    const slice = aSlice();
    const all = [
      aNode('n1', { cordoned: true }),
      aNode('n2', { lost: 'is not ready' }),
      aNode('n3', { uid: undefined, lost: 'is gone' }),
      aNode('n4', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }),
    ];
    const capabilities = all.map(({ name }) => granted(aRight(slice, name)));
    const { keep, release, wanted } = plan(anInput(slice, all, { capabilities }));
    assert.deepEqual([names(keep), release], [['n1', 'n2', 'n3', 'n4'], []]);
    assert.equal(wanted, 3, 'a Node that is gone is not wanted');
  });

  it('releases what the selector no longer asks for, and what belongs to a node that is gone for good', () => {
    const slice = aSlice({ placement: { nodeSelector: { zone: 'a' } } });
    const capabilities = ['n1', 'n2', 'n9'].map((name) => granted(aRight(slice, name)));
    const all = [aNode('n1', { labels: { zone: 'a' } }), aNode('n2')];
    const { keep, release } = plan(anInput(slice, all, { capabilities }));
    assert.deepEqual(names(keep), ['n1']);
    assert.deepEqual(
      release.map(({ capability, why }) => [capability.spec.nodeName, why]),
      [
        ['n2', 'Surplus'],
        ['n9', 'NodeGone'],
      ],
    );
  });

  it('releases a right that was moved to another node by hand', () => {
    const slice = aSlice();
    const moved = granted(aRight(slice, 'n1'));
    moved.spec.nodeName = 'n2';
    const { release, acquire } = plan(anInput(slice, nodes(2), { capabilities: [moved] }));
    assert.equal(release[0]!.capability, moved);
    assert.deepEqual(
      acquire.map(({ node }) => node),
      ['n1', 'n2'],
    );
  });

  it('says how many nodes match where more are wanted', () => {
    const { wanted, matching, acquire } = plan(anInput(aSlice({ placement: { count: 5 } }), nodes(2)));
    assert.deepEqual([wanted, matching, acquire.length], [5, 2, 2]);
  });

  it('does not ask under a name that somebody else has', () => {
    const other: KubeObject = { apiVersion: 'x', kind: 'ResourceCapability', metadata: { name: 'theirs' } };
    const taken = new Map([[`ResourceCapability/${rcapName('web', 'n1')}`, other]]);
    const { acquire, taken: found } = plan(anInput(aSlice(), nodes(2), { taken }));
    assert.deepEqual([acquire.map(({ node }) => node), found], [['n2'], [other]]);
  });

  describe('after a refusal', () => {
    const all = nodes(3);
    const slice = aSlice({ placement: { count: 1 } });
    const first = plan(anInput(slice, all)).acquire[0]!.node;
    const refused = (agoMs: number, attempt: number, reason?: string) =>
      denied(aRight(slice, first), agoMs, attempt, reason);

    it('asks another node at once, and remembers the refusal meanwhile', () => {
      const { acquire, keep, release } = plan(anInput(slice, all, { capabilities: [refused(0, 0)] }));
      assert.equal(acquire.length, 1);
      assert.notEqual(acquire[0]!.node, first);
      assert.equal(acquire[0]!.attempt, 1);
      assert.deepEqual([names(keep), release], [[first], []]);
    });

    it('waits longer after each further refusal', () => {
      const waiting = plan(anInput(slice, all, { capabilities: [refused(0, 3)] }));
      assert.deepEqual(waiting.acquire, []);
      assert.equal(waiting.wakeAt, NOW + 40_000);
      const later = plan(anInput(slice, all, { capabilities: [refused(40_000, 3)] }));
      assert.equal(later.acquire[0]!.attempt, 4);
    });

    it('remembers all of them until one grants, and so asks every node there is', () => {
      const many = nodes(5);
      const answers = new Map<string, ResourceCapability>();
      const order: string[] = [];
      for (let at = NOW; order.length < 5; at += 3_600_000) {
        const { acquire, release } = plan(anInput(slice, many, { capabilities: [...answers.values()] }), at);
        assert.deepEqual(release, []);
        for (const { node, attempt } of acquire) {
          order.push(node);
          const asked = aRight(slice, node);
          // before it answers nobody is forgotten
          const unanswered = [...answers.values(), asked];
          assert.deepEqual(plan(anInput(slice, many, { capabilities: unanswered }), at).release, []);
          answers.set(node, order.length < 5 ? denied(asked, NOW - at, attempt) : granted(asked));
        }
      }
      assert.deepEqual([...order].sort(), ['n1', 'n2', 'n3', 'n4', 'n5']);
      const { keep, release } = plan(anInput(slice, many, { capabilities: [...answers.values()] }));
      assert.deepEqual([names(keep), release.length], [[order.at(-1)], 4]);
    });

    it('forgets it once another node has granted', () => {
      const second = plan(anInput(slice, all, { capabilities: [refused(0, 0)] })).acquire[0]!.node;
      const capabilities = [refused(0, 0), granted(aRight(slice, second))];
      const { keep, release } = plan(anInput(slice, all, { capabilities }));
      assert.deepEqual([names(keep), names(release.map(({ capability }) => capability))], [[second], [first]]);
    });

    it('asks the same node again after a while where there is no other', () => {
      const every = aSlice();
      const right = (agoMs: number) => [denied(aRight(every, 'n1'), agoMs, 1)];
      const waiting = plan(anInput(every, nodes(1), { capabilities: right(0) }));
      assert.deepEqual([waiting.retry, waiting.wakeAt], [[], NOW + 20_000]);
      assert.deepEqual(names(plan(anInput(every, nodes(1), { capabilities: right(20_000) })).retry), ['n1']);
    });

    it('is not put off by a node whose clock is an hour ahead', () => {
      const every = aSlice();
      const right = denied(aRight(every, 'n1'), 20_000);
      right.status!.conditions![0]!.lastTransitionTime = new Date(NOW + 3_600_000).toISOString();
      assert.equal(plan(anInput(every, nodes(1), { capabilities: [right] })).retry.length, 1);
    });
  });

  describe('with a policy', () => {
    const zoned = (zones: string[]) => zones.map((zone, index) => aNode(`n${index + 1}`, { labels: { zone } }));
    const chosen = (all: NodeState[], placement: Placement, held: string[] = []) => {
      const slice = aSlice({ placement: { topologyKey: 'zone', ...placement } });
      const capabilities = held.map((name) => granted(aRight(slice, name)));
      const { acquire } = plan(anInput(slice, all, { capabilities }));
      const zones = [...held, ...acquire.map(({ node }) => node)].map(
        (name) => all.find((node) => node.name === name)!.labels['zone']!,
      );
      return zones.sort();
    };

    it('spreads evenly, also beside what is held', () => {
      const all = zoned(['a', 'a', 'a', 'a', 'b', 'b', 'c']);
      assert.deepEqual(chosen(all, { policy: 'Spread', count: 3 }), ['a', 'b', 'c']);
      assert.deepEqual(chosen(all, { policy: 'Spread', count: 5 }), ['a', 'a', 'b', 'b', 'c']);
      assert.deepEqual(chosen(all, { policy: 'Spread', count: 4 }, ['n1', 'n2']), ['a', 'a', 'b', 'c']);
    });

    it('clusters in as few as can be, the smallest that suffices, beside what is held', () => {
      const all = zoned(['a', 'a', 'a', 'a', 'b', 'b', 'c']);
      assert.deepEqual(chosen(all, { policy: 'Cluster', count: 2 }), ['b', 'b']);
      assert.deepEqual(chosen(all, { policy: 'Cluster', count: 5 }).slice(0, 4), ['a', 'a', 'a', 'a']);
      assert.deepEqual(chosen(all, { policy: 'Cluster', count: 2 }, ['n7']), ['b', 'c']);
      assert.deepEqual(chosen(all, { policy: 'Cluster', count: 3 }, ['n1']), ['a', 'a', 'a']);
    });

    it('gives up from the fullest value when it spreads, and what does not run first', () => {
      const all = zoned(['a', 'a', 'b']);
      const slice = aSlice({ placement: { policy: 'Spread', topologyKey: 'zone', count: 2 } });
      const rights = all.map(({ name }) => granted(aRight(slice, name)));
      const even = plan(anInput(slice, all, { capabilities: rights }));
      assert.ok(['n1', 'n2'].includes(even.release[0]!.capability.spec.nodeName));
      const pending = [rights[0]!, rights[1]!, aRight(slice, 'n3')];
      const worth = plan(anInput(slice, all, { capabilities: pending }));
      assert.deepEqual(names(worth.release.map(({ capability }) => capability)), ['n3']);
    });

    it('prefers nodes that say they have room', () => {
      const full = { shares: 0, egress: '0', memory: '0', disk: '0', pods: 0 };
      const all = [aNode('n1', { free: full }), aNode('n2', { free: full }), aNode('n3')];
      assert.deepEqual(plan(anInput(aSlice({ placement: { count: 1 } }), all)).acquire, [{ node: 'n3', attempt: 0 }]);
    });
  });

  describe('while nodes come and go', () => {
    const anyNode = fc.record({
      id: fc.integer({ min: 1, max: 12 }),
      zone: fc.constantFrom('a', 'b', 'c'),
      cordoned: fc.boolean(),
      lost: fc.constantFrom(undefined, undefined, 'is not ready'),
    });
    const anyNodes = fc
      .uniqueArray(anyNode, { selector: ({ id }) => id, maxLength: 12 })
      .map((all) => all.map(({ id, zone, cordoned, lost }) => aNode(`n${id}`, { labels: { zone }, cordoned, lost })));
    const anyPlacement = fc.record({
      count: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
      policy: fc.constantFrom('Any' as const, 'Spread' as const, 'Cluster' as const),
      topologyKey: fc.constant('zone'),
    });

    it('moves no right, holds no more than the count, and settles', () => {
      fc.assert(
        fc.property(anyPlacement, fc.array(anyNodes, { minLength: 1, maxLength: 6 }), (placement, days) => {
          const slice = aSlice({ placement });
          let held: ResourceCapability[] = [];
          for (const today of days) {
            // a Node that was there before and is not today leaves its SliceNode
            const gone = held
              .map(({ spec }) => spec.nodeName)
              .filter((name) => !today.some((node) => node.name === name))
              .map((name) => aNode(name, { uid: undefined, lost: 'is gone', labels: { zone: 'a' } }));
            const input = () => anInput(slice, [...today, ...gone], { capabilities: held });
            const { acquire, release } = plan(input());
            const there = new Set(today.map((node) => node.name));
            const before = held.filter(({ spec }) => there.has(spec.nodeName)).length;
            const surplus = placement.count === undefined ? 0 : Math.max(0, before - placement.count);
            assert.equal(release.length, surplus, 'only what is too much is released');
            assert.ok(acquire.length === 0 || release.length === 0);
            const released = new Set(release.map(({ capability }) => capability));
            held = held.filter((right) => !released.has(right));
            held.push(...acquire.map(({ node }) => granted(aRight(slice, node))));
            const now = held.filter(({ spec }) => there.has(spec.nodeName)).length;
            assert.ok(now <= (placement.count ?? Infinity));
            const again = plan(input());
            assert.deepEqual([again.acquire, again.release], [[], []]);
          }
        }),
      );
    });

    it('does not depend on the order in which things are listed', () => {
      fc.assert(
        fc.property(anyPlacement, anyNodes, (placement, all) => {
          const slice = aSlice({ placement });
          const set = (list: NodeState[]) => new Set(plan(anInput(slice, list)).acquire.map(({ node }) => node));
          assert.deepEqual(set([...all].reverse()), set(all));
        }),
      );
    });
  });
});
