import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import { hasQuestions } from '../../../node-daemonset/admission/plan.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { planStandings } from '../../../node-daemonset/standing.ts';
import { admit, edited, granted, NODE, NOW, offering, pod, redeeming, right, shares, statusIn } from '../rights.ts';

const DAY = 86_400_000;
const at = (days: number): string => new Date(NOW + days * DAY).toISOString();
const VALUE = 'a1'.repeat(32);
const entryOf = (ledger: Ledger, uid: string) => ledger.entries.find((entry) => entry.uid === uid);

describe('a transfer', () => {
  const held = right(
    'a',
    { cpu: { shares: 300 }, egress: { guarantee: '5M', limit: '5M' } },
    { window: { end: at(9) } },
  );
  const offered = offering(held, VALUE);
  const before = admit(granted(held), [offered]).ledger;
  const move = (taker: ResourceCapability, change = {}, holder = offered) => admit(before, [holder, taker], change);

  it('gives the right as it is to whoever shows its value, and the old holder loses it for good', () => {
    const taker = redeeming('b', VALUE, { sliceName: 'theirs' });
    const { ledger, decisions } = move(taker);
    const { amounts, period, sliceName } = entryOf(ledger, 'b')!.grant!;
    assert.deepEqual([amounts.shares, period.end, sliceName], [300, NOW + 9 * DAY, 'theirs']);
    assert.equal(entryOf(ledger, 'a')!.grant, undefined);
    assert.equal(entryOf(ledger, 'a')!.refusal!.reason, 'Transferred');
    assert.deepEqual(
      decisions.map(({ event, uid }) => `${event} ${uid}`),
      ['transferred a', 'granted b'],
    );
    const again = admit(ledger, [edited(offered, { contact: 'x@example.org' }), taker, redeeming('c', VALUE)]).ledger;
    assert.equal(entryOf(again, 'a')!.grant, undefined, 'whatever edit');
    assert.equal(entryOf(again, 'c')!.refusal!.reason, 'NotRedeemable', 'a value grants once');
    const { slivers } = planStandings([pod('pod-a', held)], ledger, [], NOW);
    assert.equal(slivers[0]!.standing, 'penalised', 'its sliver is held down');
  });

  it('is for good also for who takes the node’s label off and puts it back', () => {
    const taker = redeeming('b', VALUE);
    const unseen = admit(move(taker).ledger, [taker]).ledger;
    const { ledger, decisions } = admit(unseen, [offered, taker, redeeming('c', VALUE)]);
    assert.equal(entryOf(ledger, 'a')!.refusal!.reason, 'Transferred');
    assert.deepEqual(
      decisions.map(({ event, uid }) => `${event} ${uid}`),
      ['denied c'],
    );
  });

  it('leaves the old holder room for others: what passed is none that was not granted', () => {
    const spec = { budget: { shares: 1000, pending: 1 } };
    const taker = redeeming('b', VALUE);
    const { ledger } = move(taker, { spec });
    assert.ok(entryOf(admit(ledger, [offered, taker, right('next')], { spec }).ledger, 'next')!.grant);
  });

  it('is remembered of as many as are bounded when they are not seen any more: the newest', () => {
    const refusal = { generation: Number.MAX_SAFE_INTEGER, reason: 'Transferred', message: '' };
    const entries = Array.from({ length: 1100 }, (_, i) => ({
      uid: `u${i}`,
      namespace: 'team',
      name: `r${i}`,
      refusal: { ...refusal, time: i },
    }));
    const { ledger } = admit({ ...EMPTY_LEDGER, nodeUID: NODE.uid, entries, recovered: true }, []);
    assert.deepEqual([ledger.entries.length, ledger.entries[0]!.uid], [1000, 'u100']);
  });

  it('takes nothing from the node: also where all is granted, or more than the owner offers by now', () => {
    assert.ok(entryOf(move(redeeming('b', VALUE), { spec: { shares: 300 } }).ledger, 'b')!.grant);
    assert.ok(entryOf(move(redeeming('b', VALUE), { spec: { shares: 100 } }).ledger, 'b')!.grant);
  });

  it('is refused in the same words whatever is wrong with the value', () => {
    const withdrawn: ResourceCapability = { ...offered, spec: { ...offered.spec, valueSecret: 'another' } };
    const answers = [
      move(redeeming('b', 'f'.repeat(64))),
      move(redeeming('b', VALUE), {}, withdrawn),
      move(redeeming('b', VALUE), {}, held),
      admit(EMPTY_LEDGER, [redeeming('b', VALUE)]),
      move(redeeming('b', '')),
      admit(admit(before, [offered, redeeming('x', VALUE)]).ledger, [offered, redeeming('b', VALUE)]),
    ].map(({ ledger }) => ({ ...entryOf(ledger, 'b')!.refusal }));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(answers[0]!.reason, 'NotRedeemable');
  });

  it('waits until the operator has read the Secret that the present spec names', () => {
    const { status: _, ...unread } = redeeming('b', VALUE);
    assert.equal(entryOf(move(unread).ledger, 'b'), undefined);
    assert.equal(hasQuestions(before, [offered, unread]), false, 'nothing to look for meanwhile');
    const later = edited(redeeming('b', VALUE), { redeem: 'other' });
    assert.equal(entryOf(move(later).ledger, 'b'), undefined, 'a digest of a former generation proves nothing');
  });

  it('is held to the new holder’s budget, and to whom the owner refuses', () => {
    const budget = move(redeeming('b', VALUE), { spec: { namespaces: [{ name: 'lab', budget: { shares: 299 } }] } });
    assert.match(entryOf(budget.ledger, 'b')!.refusal!.message, /^asks 300 shares, 299 of 299 left for namespace lab/);
    assert.ok(entryOf(budget.ledger, 'a')!.grant, 'a refused transfer takes nothing away');
    const refused = move(redeeming('b', VALUE), { spec: { namespaces: [{ name: 'lab', refused: true }] } });
    assert.equal(entryOf(refused.ledger, 'b')!.refusal!.reason, 'NamespaceRefused');
  });

  it('counts no part of the right twice that the new holder has already', () => {
    const port = { protocol: 'TCP' as const, port: 4000 };
    const [most, some] = [
      { cpu: { shares: 250 }, ports: [port] },
      { cpu: { shares: 100 }, ports: [port] },
    ];
    const [whole, part] = [right('a', most), right('p', some, { from: 'right-a' })];
    const other = 'b2'.repeat(32);
    const all = [offering(whole, VALUE), offering(part, other), redeeming('p2', other, {}, { namespace: 'ben' })];
    const budget = { shares: 250, ports: 1, pending: 9 };
    const reserve = { percent: 60, namespaces: ['team'] };
    for (const spec of [{ budget }, { budget: { ...budget, shares: 1000 }, shares: 630, reserved: reserve }]) {
      const { ledger } = admit(admit(granted(whole, part), all.slice(0, 2)).ledger, all, { spec });
      assert.ok(entryOf(ledger, 'p2')!.grant);
      const after = admit(ledger, [...all, redeeming('b', VALUE, {}, { namespace: 'ben' })], { spec });
      assert.deepEqual(entryOf(after.ledger, 'b')!.refusal, undefined);
    }
  });

  it('gives no more and no less than the value is worth', () => {
    const { ledger } = move(redeeming('b', VALUE, { resources: shares(301) }));
    assert.match(entryOf(ledger, 'b')!.refusal!.message, /leave out resources and window/);
    assert.ok(entryOf(ledger, 'a')!.grant);
  });

  it('leaves a right that is bound and renewed like any other, without repeating what it is', () => {
    const taker = redeeming('b', VALUE);
    const { ledger } = move(taker);
    const bound = edited(taker, { sliceName: 'theirs' });
    const after = admit(ledger, [bound]).ledger;
    assert.deepEqual(
      [entryOf(after, 'b')!.grant!.sliceName, entryOf(after, 'b')!.grant!.amounts.shares],
      ['theirs', 300],
    );
    const larger = admit(after, [edited(bound, { resources: shares(901) })]).ledger;
    assert.equal(entryOf(larger, 'b')!.refusal!.reason, 'InsufficientShares');
    assert.equal(entryOf(larger, 'b')!.grant!.amounts.shares, 300);
  });

  it('takes along what was split from the right, and leaves a part where it is taken from', () => {
    const part = right(
      'p',
      { cpu: { shares: 100 }, egress: { guarantee: '1M', limit: '5M' } },
      { from: 'right-a', window: { end: at(9) } },
    );
    const all = [offered, part];
    const ledger = admit(before, all).ledger;
    const whole = admit(ledger, [...all, redeeming('b', VALUE)]).ledger;
    assert.equal(entryOf(whole, 'p')!.grant!.parent, 'b');
    const alone = admit(ledger, [held, offering(part, VALUE), redeeming('b', VALUE)]).ledger;
    assert.equal(entryOf(alone, 'b')!.grant!.parent, 'a');
    assert.equal(entryOf(alone, 'a')!.grant!.amounts.shares, 300);
  });

  it('is told in the statuses, never with a value, and holds when the ledger is lost', () => {
    const taker = redeeming('b', VALUE);
    const { ledger } = move(taker);
    const statusOf = statusIn(ledger);
    const [was, is] = [statusOf(offered), statusOf(taker)];
    assert.equal(was.status!.observedGeneration, offered.metadata.generation);
    assert.equal(was.status!.granted, undefined);
    const rebuilt = admit(EMPTY_LEDGER, [was, is]).ledger;
    assert.equal(entryOf(rebuilt, 'b')!.grant?.amounts.shares, 300);
    assert.equal(entryOf(rebuilt, 'a')!.refusal!.reason, 'Transferred');
    assert.equal(entryOf(admit(rebuilt, [edited(was, {}), is]).ledger, 'a')!.grant, undefined);
  });

  it('holds when the ledger is lost also of a part that passed before what it is part of', () => {
    const part = right(
      'p',
      { cpu: { shares: 100 }, egress: { limit: '5M' } },
      { from: 'right-a', sliceName: undefined, window: { end: at(9) } },
    );
    const other = 'b2'.repeat(32);
    const all = [offered, offering(part, other)];
    const earlier = { namespace: 'carl', creationTimestamp: '2026-10-02T00:00:00Z' };
    all.push(redeeming('p2', other, {}, earlier));
    let { ledger } = admit(admit(before, [offered, part]).ledger, all);
    all.push(redeeming('b', VALUE));
    ({ ledger } = admit(ledger, all));
    const later = { now: NOW + DAY, spec: { budget: { shares: 1000 }, shares: 350 } };
    const rebuilt = admit(EMPTY_LEDGER, all.map(statusIn(ledger)), later).ledger;
    assert.equal(entryOf(rebuilt, 'p2')!.grant?.parent, 'b');
    assert.deepEqual(entryOf(rebuilt, 'b')!.grant, entryOf(ledger, 'b')!.grant, 'as old as it was');
  });
});
