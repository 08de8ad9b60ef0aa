import assert from 'node:assert/strict';
import type { SliceNodeSpec } from '../../../crds/types.ts';
import { array, assert as check, constantFrom, integer, nat, property, record } from 'fast-check';
import { EMPTY_LEDGER, peak } from '../../../node-daemonset/admission/ledger.ts';
import { offeredToOthers } from '../../../node-daemonset/admission/reserve.ts';
import { heldBy } from '../../../node-daemonset/admission/split.ts';
import { planNodeStatus } from '../../../node-daemonset/report/node.ts';
import { offered, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { NO_ORDERS } from '../../../node-daemonset/owner/orders.ts';
import { admit, NODE, NOW, offering, redeeming, right, shares } from '../rights.ts';

const DIGEST = 'a'.repeat(64);
/** 900 shares are offered by default: 225 of them for the lab alone. */
const spec: SliceNodeSpec = { reserved: { percent: 25, namespaces: ['lab'] } };
const ofLab = (uid: string, count: number) => right(uid, shares(count), {}, { namespace: 'lab' });
const reasons = (...rcaps: ReturnType<typeof right>[]) =>
  admit(EMPTY_LEDGER, rcaps, { spec }).decisions.map(({ reason, event }) => reason ?? event);

describe('a part of the node that is reserved', () => {
  it('is never granted to others, also while it lies idle', () => {
    assert.deepEqual(reasons(right('a', shares(675))), ['granted']);
    const { decisions } = admit(EMPTY_LEDGER, [right('a', shares(600)), right('b', shares(76))], { spec });
    assert.equal(decisions[1]!.reason, 'InsufficientShares');
    assert.equal(decisions[1]!.message, 'asks 76, 75 of 675 free: 25 % of 900 is reserved for others');
  });

  it('is there for those that the owner named, and the rest too', () => {
    assert.deepEqual(reasons(right('a', shares(675)), ofLab('b', 225)), ['granted', 'granted']);
    assert.deepEqual(reasons(ofLab('b', 900)), ['granted']);
    assert.deepEqual(reasons(ofLab('b', 300), right('a', shares(601))), ['granted', 'InsufficientShares']);
  });

  it('holds for egress, memory, disk and pods as for CPU', () => {
    for (const [resources, reason] of [
      [{ egress: { guarantee: '76M', limit: '90M' } }, 'InsufficientEgress'],
      [{ memory: '7Gi' }, 'InsufficientMemory'],
      [{ disk: '76Gi' }, 'InsufficientDisk'],
    ] as const) {
      assert.deepEqual(reasons(right('a', resources)), [reason]);
      assert.deepEqual(reasons(right('a', resources, {}, { namespace: 'lab' })), ['granted']);
    }
    const pods = { spec: { ...spec, pods: 4 } };
    const four = ['a', 'b', 'c', 'd'].map((uid) => right(uid, shares(1)));
    assert.equal(admit(EMPTY_LEDGER, four, pods).decisions[3]!.reason, 'InsufficientPods');
  });

  it('can’t be handed on to others either: not as a whole, and not in parts', () => {
    const held = ofLab('b', 400);
    const before = admit(EMPTY_LEDGER, [held, right('a', shares(300))], { spec }).ledger;
    const asks = [offering(held, DIGEST), right('a', shares(300)), redeeming('c', DIGEST, {}, { namespace: 'shop' })];
    const refused = admit(before, asks, { spec }).decisions.find(({ uid }) => uid === 'c')!;
    assert.equal(refused.reason, 'InsufficientShares');
    const part = right('p', shares(380), { from: 'right-b' }, { namespace: 'lab' });
    const split = admit(before, [held, right('a', shares(300)), part], { spec });
    assert.equal(split.decisions[0]!.event, 'granted');
    const passed = [
      held,
      right('a', shares(300)),
      offering(part, DIGEST),
      redeeming('c', DIGEST, {}, { namespace: 'shop' }),
    ];
    const { decisions } = admit(split.ledger, passed, { spec });
    assert.equal(decisions.find(({ uid }) => uid === 'c')!.reason, 'InsufficientShares');
    const small = admit(split.ledger, passed, { spec: { reserved: { percent: 20, namespaces: ['lab'] } } });
    assert.equal(small.decisions.find(({ uid }) => uid === 'c')!.event, 'granted', '680 of 720');
    const next = admit(small.ledger, [...passed, right('d', shares(41)), right('e', shares(40))], {
      spec: { reserved: { percent: 20, namespaces: ['lab'] } },
    });
    const said = next.decisions.map(({ uid, reason, event }) => `${uid} ${reason ?? event}`);
    assert.deepEqual(said, ['d InsufficientShares', 'e granted'], 'what was handed on counts');
  });

  it('is counted once where others split what they have', () => {
    const whole = right('a', shares(600));
    const part = right('p', shares(400), { from: 'right-a' });
    assert.deepEqual(reasons(whole, part, right('b', shares(75))), ['granted', 'granted', 'granted']);
  });

  it('is said of the node: what is free, and what of it to others', () => {
    const policy = policyOf(spec);
    const { ledger } = admit(EMPTY_LEDGER, [right('a', shares(600)), ofLab('b', 100)], { spec });
    const sliceNode = { apiVersion: 'v', kind: 'SliceNode', metadata: { name: 'node1' } };
    const facts = {
      sliceNode,
      ledger,
      offered: offered(policy, NODE, 0),
      policy,
      beyond: [],
      policyProblem: undefined,
    };
    const known = {
      ...facts,
      orders: NO_ORDERS,
      problems: [],
      attributes: {},
      versions: { nodeManager: '1', kernel: '6' },
      now: NOW,
    };
    const { free, freeToOthers } = planNodeStatus(known);
    assert.deepEqual([free!.shares, freeToOthers!.shares], [200, 75]);
    assert.equal(planNodeStatus({ ...known, policy: policyOf({}) }).freeToOthers, undefined);
  });

  it('is left at every instant, whatever is asked for, split, handed on, given back', () => {
    const step = record({
      what: constantFrom('ask' as const, 'split' as const, 'redeem' as const, 'release' as const),
      namespace: constantFrom('lab', 'team', 'shop'),
      which: nat(20),
      shares: integer({ min: 1, max: 400 }),
      from: nat(5),
    });
    const { reserved } = policyOf(spec);
    const isOther = (namespace: string): boolean => !reserved!.namespaces.has(namespace);
    const limits = offeredToOthers(offered(policyOf(spec), NODE, 0), reserved!);
    check(
      property(array(step, { maxLength: 20 }), (steps) => {
        let ledger = EMPTY_LEDGER;
        let rcaps: ReturnType<typeof right>[] = [];
        for (const [i, { what, namespace, which, shares: count, from }] of steps.entries()) {
          const day = (days: number): string => new Date(NOW + days * 86_400_000).toISOString();
          const of = rcaps[which % Math.max(rcaps.length, 1)];
          const created = { creationTimestamp: new Date(NOW + i * 1000).toISOString() };
          if (what === 'release') rcaps = rcaps.filter((one) => one !== of);
          else if (what === 'ask' || !of) {
            const window = { start: day(from), end: day(from + 3) };
            rcaps = [...rcaps, right(`r${i}`, shares(count), { window }, { namespace, ...created })];
          } else if (what === 'split') {
            const { namespace: own, name } = of.metadata;
            const resources = { cpu: { shares: Math.ceil(count / 4) }, egress: { guarantee: '1k', limit: '1M' } };
            const split = { from: name, window: of.spec.window };
            rcaps = [...rcaps, right(`r${i}`, resources, split, { namespace: own, ...created })];
          } else {
            const digest = i.toString(16).padStart(64, '0');
            rcaps = rcaps.map((one) => (one === of ? offering(of, digest) : one));
            rcaps = [...rcaps, redeeming(`r${i}`, digest, {}, { name: `right-r${i}`, namespace, ...created })];
          }
          ({ ledger } = admit(ledger, rcaps, { spec }));
          const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
          const sums = peak(heldBy(ledger.entries, entries, isOther), { start: NOW, end: undefined });
          assert.ok(sums.shares <= limits.shares, `${sums.shares} of ${limits.shares} shares`);
          assert.ok(sums.pods <= limits.pods && sums.egress <= limits.egress);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('that is larger than what is left of the node is beyond the offer, and with evict comes back', () => {
    const before = admit(EMPTY_LEDGER, [right('a', shares(600)), right('b', shares(200))], {}).ledger;
    assert.deepEqual(admit(before, undefined, { spec }).decisions, []);
    const { decisions } = admit(before, undefined, { spec: { ...spec, evict: true } });
    assert.deepEqual(
      decisions.map(({ event, uid }) => `${event} ${uid}`),
      ['evicted b'],
    );
    assert.match(decisions[0]!.message!, /leave 75 of 675 shares that are not reserved for others/);
  });
});
