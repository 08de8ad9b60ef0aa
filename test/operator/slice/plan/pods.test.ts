import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ResourceCapability, Slice } from '../../../../crds/types.ts';
import type { Pod } from '../../../../operator/kinds.ts';
import type { Effect, NodeState, SliceInput } from '../../../../operator/slice/plan/input.ts';
import { isReady, maxUnavailable, planPods } from '../../../../operator/slice/plan/pods.ts';
import { aNode, anInput, aPod, aRight, aSlice, at, denied, granted, NOW, running } from '../objects.ts';

const TERMS = { mayCreate: true, renewing: new Set<string>() };
const plan = (input: SliceInput, terms = TERMS, now = NOW) => planPods(input, terms, now);
const brief = (effects: readonly Effect[]) =>
  effects.map((effect) =>
    effect.kind === 'remove' ? `${effect.why} ${effect.node}` : `${effect.kind} ${effect.node}`,
  );

describe('pods', () => {
  const slice = aSlice();
  const [n1, n2, n3] = [aNode('n1'), aNode('n2'), aNode('n3')];
  const one = (right: ResourceCapability, node: NodeState = n1, pod?: Pod, of: Slice = slice) =>
    anInput(of, [node], { capabilities: [right], pods: new Map(pod ? [[pod.metadata.name, pod]] : []) });

  it('are made for rights that are granted, and for no others', () => {
    assert.deepEqual(brief(plan(one(granted(aRight(slice, 'n1')))).effects), ['create n1']);
    assert.deepEqual(plan(one(aRight(slice, 'n1'))).effects, []);
    assert.deepEqual(plan(one(denied(aRight(slice, 'n1')))).effects, []);
    const deleting = granted(aRight(slice, 'n1'));
    deleting.metadata.deletionTimestamp = at(0);
    assert.deepEqual(plan(one(deleting)).effects, []);
  });

  it('are not made before the node has judged what is asked for now', () => {
    const right = granted(aRight(slice, 'n1'));
    const edited = { ...right, metadata: { ...right.metadata, generation: 2 } };
    assert.deepEqual(plan(one(edited)).effects, []);
    assert.deepEqual(plan(one(right), { ...TERMS, renewing: new Set([right.metadata.uid!]) }).effects, []);
    assert.deepEqual(plan(one(right), { ...TERMS, mayCreate: false }).effects, []);
  });

  it('are not made on a node that is cordoned, lost, or whose facts are not known yet; they stay there', () => {
    for (const more of [{ cordoned: true }, { lost: 'is not ready' }, { allocatable: undefined }]) {
      const node = aNode('n1', more);
      const right = granted(aRight(slice, 'n1'));
      assert.deepEqual(plan(one(right, node)).effects, []);
      assert.deepEqual(plan(one(right, node, aPod(slice, right))).effects, []);
      const newer = aSlice({ sliver: { image: 'example.org/web:2' } });
      assert.deepEqual(plan(one(right, node, aPod(slice, right), newer)).effects, [], 'nor are they replaced there');
    }
  });

  it('wait for a node that is back under another uid to grant anew, and stay meanwhile', () => {
    const right = granted(aRight(slice, 'n1'), 'former-uid');
    assert.deepEqual(plan(one(right)).effects, []);
    assert.deepEqual(plan(one(right, n1, aPod(slice, right))).effects, []);
  });

  it('are made for what splits leave of the right, replaced when that changes, and ended when nothing is left', () => {
    const right = granted(aRight(slice, 'n1'));
    const grant = right.status!.granted!;
    const split = { ...right, status: { ...right.status!, granted: { ...grant, left: { cpu: { shares: 7 } } } } };
    const [effect] = plan(one(split)).effects;
    const pod = (effect as Effect & { kind: 'create' }).object as Pod;
    const [container] = pod.spec['containers'] as { resources: { requests: { cpu: string } } }[];
    assert.equal(container!.resources.requests.cpu, `${(7 * n1.allocatable!.cpuMilli!) / 1000}m`);
    assert.deepEqual(brief(plan(one(split, n1, aPod(slice, right))).effects), ['Outdated n1']);
    const gone = { ...right, status: { ...right.status!, granted: { ...grant, givenAway: true } } };
    assert.deepEqual(plan(one(gone)).effects, []);
    assert.deepEqual(brief(plan(one(gone, n1, aPod(slice, right))).effects), ['GivenAway n1']);
  });

  it('end when the right is refused or expired', () => {
    const right = granted(aRight(slice, 'n1'));
    const pod = aPod(slice, right);
    assert.deepEqual(brief(plan(one(denied(right), n1, pod)).effects), ['NotGranted n1']);
    assert.deepEqual(brief(plan(one(denied(right, 0, 0, 'Expired'), n1, pod)).effects), ['Expired n1']);
  });

  it('end while the slice is suspended', () => {
    const input = running(aSlice({ suspended: true }), [n1, n2]);
    assert.deepEqual(brief(plan(input).effects), ['Suspended n1', 'Suspended n2']);
  });

  it('begin and end with the window, by the clock that is given', () => {
    const right = granted(aRight(slice, 'n1', { window: { start: at(1000), end: at(2000) } }));
    const pod = aPod(slice, right);
    const early = plan(one(right));
    assert.deepEqual([early.effects, early.wakeAt], [[], NOW + 1000]);
    const open = plan(one(right), TERMS, NOW + 1000);
    assert.deepEqual([brief(open.effects), open.wakeAt], [['create n1'], NOW + 2000]);
    assert.deepEqual(brief(plan(one(right, n1, pod), TERMS, NOW + 2000).effects), ['Expired n1']);
  });

  it('are made anew after a failure, each time later', () => {
    const right = granted(aRight(slice, 'n1'));
    const failed = (attempt: number, agoMs: number): Pod => {
      const pod = aPod(slice, right, { phase: 'Failed', reason: 'Evicted' });
      const annotations = { 'slice-operator.io/attempt': String(attempt) };
      return { ...pod, metadata: { ...pod.metadata, annotations, creationTimestamp: at(-agoMs) } };
    };
    const waiting = plan(one(right, n1, failed(2, 0)));
    assert.deepEqual([waiting.effects, waiting.wakeAt], [[], NOW + 40_000]);
    const [again] = plan(one(right, n1, failed(2, 40_000))).effects;
    assert.equal(again!.kind, 'replace');
    const made = (again as Effect & { kind: 'replace' }).object;
    assert.equal(made.metadata.annotations!['slice-operator.io/attempt'], '3');
  });

  it('are not made under a name that somebody else has', () => {
    const right = granted(aRight(slice, 'n1'));
    const other = { apiVersion: 'v1', kind: 'Pod', metadata: { name: right.metadata.name } };
    const taken = new Map([[`Pod/${right.metadata.name}`, other]]);
    const { effects, taken: found } = plan({ ...one(right), taken });
    assert.deepEqual([effects, found], [[], [other]]);
  });

  it('of a Node that is gone use up nothing of what may be down', () => {
    const input = running(slice, [n1, n2, n3]);
    const gone = aNode('n1', { uid: undefined, lost: 'is gone' });
    const newer = aSlice({ sliver: { image: 'example.org/web:2' } });
    const nodes = new Map([gone, n2, n3].map((node) => [node.name, node]));
    assert.equal(plan({ ...input, slice: newer, nodes }).effects.length, 1);
  });
});

describe('an outdated pod that is down', () => {
  it('is replaced at once when it has been so for a while, beyond the limit', () => {
    const slice = aSlice({ sliver: { image: 'example.org/web:2' } });
    const nodes = [aNode('n1'), aNode('n2'), aNode('n3')];
    const since = (agoMs: number) => {
      const input = running(aSlice(), nodes);
      const ready = { type: 'Ready', status: 'False', lastTransitionTime: at(-agoMs) };
      const status = { phase: 'Running' as const, conditions: [ready] };
      const pods = new Map([...input.pods].map(([name, pod]) => [name, { ...pod, status }]));
      return plan({ ...input, slice, pods });
    };
    assert.deepEqual(brief(since(10_000).effects).sort(), ['Outdated n1', 'Outdated n2', 'Outdated n3']);
    assert.deepEqual([since(4_000).effects, since(4_000).wakeAt], [[], NOW + 6_000]);
  });
});

describe('maxUnavailable', () => {
  it('is 1 where nothing is given, a count, or a percentage rounded up, and never 0', () => {
    assert.equal(maxUnavailable(undefined, 10), 1);
    assert.equal(maxUnavailable({ maxUnavailable: 3 }, 10), 3);
    assert.equal(maxUnavailable({ maxUnavailable: '25%' }, 10), 3);
    assert.equal(maxUnavailable({ maxUnavailable: '1%' }, 0), 1);
  });
});

describe('a rolling update', () => {
  /** One thing that happens: the operator acts on what it saw some steps ago, or a pod becomes ready or fails. */
  const anyStep = fc.record({
    what: fc.constantFrom('operator', 'operator', 'pod ready', 'pod down', 'pod gone'),
    pick: fc.nat(20),
    lag: fc.nat(3),
  });
  const nodes = Array.from({ length: 6 }, (_, index) => aNode(`n${index}`));

  it('never takes down more than is allowed, however far the cache lags, and comes to its end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(anyStep, { maxLength: 80 }), (limit, steps) => {
        const update = { maxUnavailable: limit };
        const old = aSlice({ update });
        const slice = aSlice({ update, sliver: { image: 'example.org/web:2' } });
        let world = { ...running(old, nodes), slice };
        const history: SliceInput[] = [world];
        const input = () => new Map(world.pods);
        /** Pods that are down for another reason than the operator. */
        const broken = new Set<string>();

        const act = (seen: SliceInput): void => {
          for (const effect of planPods(seen, TERMS, NOW).effects) {
            const pods = input();
            if (effect.kind === 'create' && !pods.has(effect.object.metadata.name)) {
              const uid = `${effect.object.metadata.name}-${history.length}`;
              const pod = effect.object as Pod;
              const metadata = { ...pod.metadata, uid, creationTimestamp: at(0) };
              pods.set(uid.slice(0, uid.lastIndexOf('-')), { ...pod, metadata, status: { phase: 'Pending' } });
            }
            if (effect.kind === 'remove') {
              const pod = pods.get(effect.ref.name);
              if (pod?.metadata.uid !== effect.ref.uid) continue;
              pods.set(effect.ref.name, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: at(0) } });
            }
            world = { ...world, pods };
          }
        };
        const happen = (what: string, pick: number): void => {
          const all = [...world.pods.values()];
          const pod = all[pick % Math.max(1, all.length)];
          if (!pod) return;
          const pods = input();
          const { name } = pod.metadata;
          if (what === 'pod ready' && !pod.metadata.deletionTimestamp) {
            broken.delete(name);
            pods.set(name, { ...pod, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } });
          } else if (what === 'pod down' && isReady(pod)) {
            broken.add(name);
            const lost = { type: 'Ready', status: 'False', lastTransitionTime: at(0) };
            pods.set(name, { ...pod, status: { phase: 'Running', conditions: [lost] } });
          } else if (what === 'pod gone' && pod.metadata.deletionTimestamp) pods.delete(name);
          world = { ...world, pods };
        };
        const downByUs = () =>
          world.capabilities.filter(({ metadata: { name } }) => {
            const pod = world.pods.get(name);
            return !broken.has(name) && !(pod && isReady(pod));
          }).length;

        for (const { what, pick, lag } of steps) {
          if (what === 'operator') act(history[Math.max(0, history.length - 1 - lag)]!);
          else happen(what, pick);
          history.push(world);
          assert.ok(downByUs() <= limit, `${downByUs()} of at most ${limit} are down`);
        }
        for (let round = 0; round < 40; round++) {
          act(world);
          for (let pick = 0; pick < nodes.length; pick++) happen('pod gone', pick);
          act(world);
          for (let pick = 0; pick < nodes.length; pick++) happen('pod ready', pick);
        }
        assert.deepEqual(planPods(world, TERMS, NOW).effects, []);
        const hashes = new Set(
          [...world.pods.values()].map(({ metadata }) => metadata.labels!['slice-operator.io/template-hash']),
        );
        assert.equal(world.pods.size, nodes.length);
        assert.equal(hashes.size, 1);
      }),
      { numRuns: 300 },
    );
  });
});
