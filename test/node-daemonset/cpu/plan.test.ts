import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  NO_QUOTA,
  type ObservedCpu,
  type ObservedPod,
  type Originals,
  STARTING_SHARES,
  chooseScale,
  planCpu,
  planRelease,
} from '../../../node-daemonset/cpu/plan.ts';
import { type Conversion, sharesOfRequest, weightOfShares } from '../../../node-daemonset/cpu/requests.ts';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../desired.ts';

const CPU = 4000;

/** A node as the kubelet leaves it: `others` by uid and request. */
function kubelet(
  version: 1 | 2,
  slivers: readonly Sliver[],
  others: Record<string, number>,
  conversion: Conversion = 'linear',
): ObservedCpu {
  const weigh = (milli: number): number => {
    const shares = sharesOfRequest(milli);
    return version === 1 ? shares : weightOfShares(shares, conversion);
  };
  const requests = {
    ...others,
    ...Object.fromEntries(slivers.map((s) => [s.id, Math.floor((s.amounts.shares * CPU) / 1000)])),
  };
  const sum = Object.values(requests).reduce((a, b) => a + b, 0);
  const pods = Object.entries(requests).map(([uid, milli]): ObservedPod => ({
    uid,
    parent: 'burstable',
    weight: weigh(milli),
    quota: NO_QUOTA,
  }));
  return { version, kubepodsWeight: weigh(CPU), burstableWeight: weigh(sum), pods };
}

/** What the kernel has after the first `count` writes of a plan. */
function after(observed: ObservedCpu, plan: Pick<ReturnType<typeof planCpu>, 'writes'>, count = Infinity): ObservedCpu {
  const pods = observed.pods.map((pod) => ({
    ...pod,
    ...plan.writes.slice(0, count).find(({ uid }) => uid === pod.uid),
  }));
  return { ...observed, pods };
}

const arbitraryNode = fc
  .record({
    version: fc.constantFrom(1 as const, 2 as const),
    shares: fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 5 }),
    none: fc.boolean(),
    others: fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 4 }),
  })
  .map(({ version, shares, none, others }) => {
    const slivers = shares.map((share, i) => makeSliver(`s${i}`, { shares: share, excess: none ? 'None' : 'Share' }));
    const requests = Object.fromEntries(others.map((milli, i) => [`o${i}`, milli]));
    return { slivers, observed: kubelet(version, slivers, requests), requests };
  });

describe('the plan of CPU weights', () => {
  it('gives slivers that start together what making a container takes, and nobody who lost a right', () => {
    const make = (id: string, shares: number, rest: Partial<Sliver> = {}): Sliver => makeSliver(id, { shares }, rest);
    const starting = true;
    const slivers = [
      make('running', 100),
      make('one', 1, { starting }),
      make('none', 1, { starting, amounts: { ...make('', 1).amounts, excess: 'None' } }),
      make('large', 80, { starting }),
      make('lost', 1, { starting, standing: 'penalised' }),
    ];
    for (const version of [1, 2] as const) {
      const observed = kubelet(version, slivers, {});
      const { pods } = after(observed, planCpu(observed, makeDesired(slivers, { cpuMilli: CPU }), {}));
      const of = (uid: string): ObservedPod => pods.find((one) => one.uid === uid)!;
      const share = of('running').weight / 100;
      const part = STARTING_SHARES / 3;
      for (const uid of ['one', 'none']) assert.ok(Math.abs(of(uid).weight / share - part) <= 1, `${version} ${uid}`);
      assert.ok(Math.abs(of('large').weight / share - 80) <= 1);
      assert.equal(of('lost').weight, version === 1 ? 2 : 1);
      const { max, period } = of('none').quota;
      assert.equal(max! / period, (Math.floor(part) * CPU) / 1e6, 'a ceiling at its shares would hold it up as well');
    }
    const crowd = Array.from({ length: 200 }, (_, i) => make(`s${i}`, 1, { starting }));
    const observed = kubelet(1, crowd, {});
    const { pods } = after(observed, planCpu(observed, makeDesired(crowd, { cpuMilli: CPU }), {}));
    assert.ok(pods.every(({ weight }) => weight === 4));
  });

  it('has nothing to do where all is as desired', () => {
    fc.assert(
      fc.property(arbitraryNode, ({ slivers, observed }) => {
        const desired = makeDesired(slivers, { cpuMilli: CPU });
        const first = planCpu(observed, desired, {});
        const second = planCpu(after(observed, first), desired, first.originals);
        assert.deepEqual(second.writes, []);
      }),
    );
  });

  it('converges after a crash at any write, and restores what the kubelet had', () => {
    fc.assert(
      fc.property(arbitraryNode, fc.nat(10), fc.nat(10), ({ slivers, observed }, crash, crash2) => {
        const desired = makeDesired(slivers, { cpuMilli: CPU });
        const fewer = makeDesired(slivers.slice(1), { cpuMilli: CPU });
        let state = observed;
        let originals: Originals = {};
        for (const [wanted, count] of [
          [desired, crash],
          [fewer, crash2],
          [desired, Infinity],
        ] as const) {
          const plan = planCpu(state, wanted, originals);
          originals = plan.originals;
          state = after(state, plan, count);
        }
        assert.deepEqual(state.pods, after(observed, planCpu(observed, desired, {})).pods);
        const released = after(state, planRelease(state, originals));
        const weights = ({ pods }: ObservedCpu): number[] => pods.map(({ weight }) => weight);
        assert.deepEqual(weights(released), weights(observed));
        assert.ok(released.pods.every(({ quota }) => quota.max === undefined));
      }),
    );
  });

  it('keeps every Burstable pod in proportion to what it was promised on v2', () => {
    const slivers = [100, 200, 600].map((shares, i) => makeSliver(`s${i}`, { shares }));
    const observed = kubelet(2, slivers, { other: 200 });
    const state = after(observed, planCpu(observed, makeDesired(slivers, { cpuMilli: CPU }), {}));
    const weight = (uid: string): number => state.pods.find((pod) => pod.uid === uid)!.weight;
    const total = state.pods.reduce((sum, pod) => sum + pod.weight, 0);
    assert.equal(weight('s1') / weight('s0'), 2);
    assert.equal(weight('s2') / weight('s0'), 6);
    // 5 % of the node, and no more than the 13 milli by which the parent's own weight is coarse
    assert.ok(weight('other') / total >= 0.05 * 0.999);
    assert.ok(weight('other') / total <= 0.057);
  });

  for (const conversion of ['linear', 'quadratic'] as const) {
    it(`keeps a Guaranteed pod in proportion to all Burstable ones on v2, ${conversion}`, () => {
      const slivers = [makeSliver('s', { shares: 750 })];
      for (const limited of [true, false]) {
        const observed = kubelet(2, slivers, { other: 200 }, conversion);
        const weight = weightOfShares(sharesOfRequest(800), conversion);
        const quota = limited ? { max: 80_000, period: 100_000 } : NO_QUOTA;
        observed.pods.push({ uid: 'g', parent: 'guaranteed', weight, quota });
        const plan = planCpu(observed, makeDesired(slivers, { cpuMilli: CPU }), {});
        const state = after(observed, plan);
        const mended = state.pods.find(({ uid }) => uid === 'g')!;
        const part = mended.weight / (mended.weight + observed.burstableWeight);
        assert.ok(Math.abs(part - 0.2) < 0.005, `${part}`);
        assert.deepEqual(mended.quota, quota);
        const released = after(state, planRelease(state, plan.originals));
        assert.equal(released.pods.find(({ uid }) => uid === 'g')!.weight, weight);
      }
    });
  }

  it('does not follow a parent that says next to nothing into starving anybody', () => {
    const slivers = [makeSliver('s', { shares: 1 })];
    const observed = kubelet(2, slivers, {});
    const weight = weightOfShares(sharesOfRequest(3000), 'linear');
    observed.pods.push({ uid: 'g', parent: 'guaranteed', weight, quota: NO_QUOTA });
    const { writes } = planCpu(observed, makeDesired(slivers, { cpuMilli: CPU }), {});
    assert.ok(writes.every(({ uid, weight: written }) => uid !== 'g' || written! <= weight * 4));
  });

  it('takes a new weight of a pod resized in place for its request, and puts that back', () => {
    const slivers = [makeSliver('s', { shares: 500 })];
    const desired = makeDesired(slivers, { cpuMilli: CPU });
    const observed = kubelet(2, slivers, { other: 200 });
    const first = planCpu(observed, desired, {});
    const state = after(observed, first);
    const resized = weightOfShares(sharesOfRequest(800), 'linear');
    state.pods.find(({ uid }) => uid === 'other')!.weight = resized;
    const second = planCpu({ ...state, burstableWeight: 109 }, desired, first.originals);
    assert.equal(second.originals['other']!.weight, resized);
  });

  it('gives a penalised sliver the lowest weight, and a quota only where excess is None', () => {
    const slivers = [
      makeSliver('p', { shares: 900 }, { standing: 'penalised' }),
      makeSliver('n', { shares: 100, excess: 'None' }),
      makeSliver('tiny', { shares: 1, excess: 'None' }),
    ];
    for (const version of [1, 2] as const) {
      const observed = kubelet(version, slivers, {});
      const { pods } = after(observed, planCpu(observed, makeDesired(slivers, { cpuMilli: CPU }), {}));
      assert.equal(pods.find(({ uid }) => uid === 'p')!.weight, version === 1 ? 2 : 1);
      assert.deepEqual(pods.find(({ uid }) => uid === 'n')!.quota, { max: 40_000, period: 100_000 });
      assert.deepEqual(pods.find(({ uid }) => uid === 'tiny')!.quota, { max: 4000, period: 1_000_000 });
      assert.equal(pods.find(({ uid }) => uid === 'p')!.quota.max, undefined);
    }
  });

  it('says which sliver is no Burstable pod, and leaves it alone', () => {
    const slivers = [makeSliver('s')];
    const observed = kubelet(1, slivers, {});
    observed.pods[0]!.parent = 'guaranteed';
    const plan = planCpu(observed, makeDesired(slivers), {});
    assert.deepEqual(plan.writes, []);
    assert.deepEqual(
      plan.problems.map(({ reason }) => reason),
      ['WrongParent'],
    );
  });

  it('chooses the smallest scale that is exact enough', () => {
    assert.equal(chooseScale([300, 600], []), 0.1);
    assert.equal(chooseScale([1], []), 1);
    assert.equal(chooseScale([300, 600], [2.5]), 0.4);
    assert.equal(chooseScale([1], [0.001]), 10);
  });
});
