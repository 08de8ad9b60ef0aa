import assert from 'node:assert/strict';
import type { SliceNodeSpec } from '../../../crds/types.ts';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
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
