/** What becomes of rights that were handed over, or split, when their Node is registered anew. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import { newPorts } from '../../../node-daemonset/admission/held.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { EMPTY_STATE, parseCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import { admit, edited, granted, NODE, NOW, offering, redeeming, right, shares, statusIn } from '../rights.ts';

const VALUE = 'a1'.repeat(32);
const HOUR = 3_600_000;
const at = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const node = { ...NODE, uid: 'registered-anew' };
const small = { ...node, memory: 2 ** 29 };
const entryOf = (ledger: Ledger, uid: string) => ledger.entries.find((entry) => entry.uid === uid);
const reasonOf = (ledger: Ledger, uid: string) => entryOf(ledger, uid)?.refusal?.reason;
/** What each holds, and of whom. */
const heldIn = ({ entries }: Ledger): Record<string, [number, string | undefined]> =>
  Object.fromEntries(entries.flatMap(({ uid, grant }) => (grant ? [[uid, [grant.amounts.shares, grant.parent]]] : [])));
const without = (rcap: ResourceCapability): ResourceCapability => edited(rcap, { valueSecret: undefined });

describe('a Node that is registered anew', () => {
  const held = right('a', { ...shares(200), memory: '1Gi', ports: [{ protocol: 'TCP', port: 8080 }] });
  const offered = offering(held, VALUE);
  const taker = redeeming('b', VALUE, { sliceName: 'theirs' }, { namespace: 'theirs' });
  const passed = admit(granted(held), [offered, taker]).ledger;

  it('gives a right that was handed over to whom it was handed, and never back, whatever the edit', () => {
    for (const holder of [offered, without(offered), edited(offered, { valueSecret: 'another' })]) {
      const { ledger } = admit(passed, [holder, taker], { node });
      assert.deepEqual(heldIn(ledger), { b: [200, undefined] });
      assert.equal(reasonOf(ledger, 'a'), 'Transferred');
      assert.equal(entryOf(ledger, 'b')!.grant!.sliceName, 'theirs');
      const again = admit(ledger, [edited(holder, {}), taker], { node: { ...NODE, uid: 'and-again' } }).ledger;
      assert.deepEqual(heldIn(again), { b: [200, undefined] });
    }
    const unseen = admit(passed, [taker], { node }).ledger;
    assert.deepEqual(heldIn(admit(unseen, [without(offered), taker], { node }).ledger), { b: [200, undefined] });
  });

  it('does so also when the former holder’s record is gone', () => {
    const { ledger } = admit(admit(passed, [taker]).ledger, [taker], { node });
    assert.deepEqual(heldIn(ledger), { b: [200, undefined] });
  });

  it('looks at nobody else who shows the value, as it did before', () => {
    const late = redeeming('late', VALUE, {}, { creationTimestamp: '2026-09-01T00:00:00Z' });
    const before = admit(passed, [offered, taker, late]).ledger;
    const { ledger } = admit(before, [offered, taker, late], { node });
    assert.deepEqual(heldIn(ledger), { b: [200, undefined] });
    const early = redeeming('late', VALUE, {}, { creationTimestamp: '2026-09-01T00:00:00Z' });
    const refused = admit(granted(held), [held, early]).ledger;
    assert.deepEqual(heldIn(admit(refused, [offered, early], { node }).ledger), { a: [200, undefined] }, 'final');
  });

  it('grants an edit of it after that, and of a refused one keeps what was held', () => {
    const less = edited(taker, { resources: shares(10) });
    assert.deepEqual(heldIn(admit(passed, [less], { node }).ledger), { b: [10, undefined] });
    const more = edited(taker, { resources: shares(1000) });
    const { ledger } = admit(passed, [more, right('c')], { node });
    assert.deepEqual(heldIn(ledger), { b: [200, undefined], c: [1, undefined] });
    assert.equal(reasonOf(ledger, 'b'), 'InsufficientShares');
  });

  it('grants what was held before what is new, by what the owner says now', () => {
    const older = right('older', shares(900), {}, { namespace: 'lab', creationTimestamp: '2026-01-01T00:00:00Z' });
    assert.deepEqual(heldIn(admit(passed, [older, taker], { node }).ledger), { b: [200, undefined] });
    const spec = { namespaces: [{ name: 'theirs', refused: true }] };
    assert.equal(reasonOf(admit(passed, [taker], { node, spec }).ledger, 'b'), 'NamespaceRefused');
    const busy = right('busy', {}, {}, { namespace: 'theirs' });
    const pending = { budget: { shares: 1000, ports: 9, pending: 0 } };
    assert.deepEqual(heldIn(admit(passed, [busy, taker], { node, spec: pending }).ledger), { b: [200, undefined] });
  });

  it('counts nothing as asked for in vain that was not answered yet', () => {
    const spec = { shares: 250, budget: { pending: 1, shares: 1000, ports: 9 } };
    const port = { protocol: 'TCP' as const, port: 9000 };
    const large = right('y', { ...shares(252), ports: [port] });
    // it waits until it is known who has the port
    const asked = [edited(large, {}), right('z')];
    const { ledger } = admit(granted(large), asked, { node, spec, held: undefined });
    assert.deepEqual(heldIn(ledger), { z: [1, undefined] });
    assert.ok(entryOf(ledger, 'y')!.former);
  });

  it('asks for it again at each edit where it did not fit, and not by the value', () => {
    const denied = admit(passed, [offered, taker], { node: small }).ledger;
    assert.deepEqual(heldIn(denied), {});
    assert.equal(reasonOf(denied, 'b'), 'InsufficientMemory');
    const touched = edited(taker, { contact: 'x@example.org' });
    assert.deepEqual(newPorts(touched, entryOf(denied, 'b')), [{ protocol: 'TCP', port: 8080 }], 'looks who has them');
    assert.deepEqual(heldIn(admit(denied, [offered, touched], { node }).ledger), { b: [200, undefined] });
    const again = admit(denied, [offered, taker], { node: { ...NODE, uid: 'and-again' } }).ledger;
    assert.deepEqual(heldIn(again), { b: [200, undefined] }, 'the next Node looks by itself');
    const lean = edited(taker, { resources: shares(50) });
    assert.deepEqual(heldIn(admit(denied, [offered, lean], { node: small }).ledger), { b: [50, undefined] });
  });

  it('remembers what was held while it is not heard or its owner’s policy can’t be read, and over a restart', () => {
    const deaf = admit(passed, undefined, { node }).ledger;
    assert.deepEqual(heldIn(deaf), {});
    const { ledger } = admit(deaf, [offered, taker], { node, policy: undefined });
    const state = parseCheckpoint(JSON.stringify({ version: 1, ...EMPTY_STATE, ledger }));
    assert.deepEqual(heldIn(admit(state.ledger, [offered, taker], { node }).ledger), { b: [200, undefined] });
    const broken = { ...ledger, entries: [{ uid: 'x', namespace: 'n', name: 'n', former: {} }] };
    assert.throws(() => parseCheckpoint(JSON.stringify({ version: 1, ...EMPTY_STATE, ledger: broken })), /no sense/);
  });

  it('forgets what was released meanwhile, moved away, or is over', () => {
    const deaf = admit(passed, undefined, { node }).ledger;
    const gone = admit(deaf, [offered], { node }).ledger;
    assert.deepEqual(heldIn(admit(gone, [offered, taker], { node }).ledger), {});
    const moved = edited(taker, { nodeName: 'node2' });
    const { ledger } = admit(deaf, [offered, moved], { node });
    assert.equal(reasonOf(ledger, 'b'), 'WrongNode');
    assert.equal(entryOf(ledger, 'b')!.former, undefined);
    const brief = right('c', shares(10), { window: { end: at(1) } });
    const later = admit(admit(granted(brief), undefined, { node }).ledger, [brief], { node, now: NOW + 2 * HOUR });
    assert.equal(reasonOf(later.ledger, 'c'), 'Expired');
  });

  it('does so by statuses where it lost its ledger, too, but not by one of a spec that was edited since', () => {
    const told = [offered, taker].map(statusIn(passed));
    const { ledger, decisions } = admit(EMPTY_LEDGER, told, { node, now: NOW + HOUR });
    assert.deepEqual(heldIn(ledger), { b: [200, undefined] });
    assert.deepEqual(
      decisions.map(({ uid, reason }) => [uid, reason]),
      [['b', 'RegisteredAnew']],
    );
    assert.equal(entryOf(ledger, 'b')!.grant!.time, NOW, 'as old as it was');
    assert.deepEqual(heldIn(admit(ledger, [without(told[0]!), told[1]!], { node }).ledger), { b: [200, undefined] });
    const moved = edited(told[1]!, { contact: 'x@example.org' });
    assert.equal(reasonOf(admit(EMPTY_LEDGER, [moved], { node }).ledger, 'b'), undefined, 'its Secret is to be read');
    const denied = admit(EMPTY_LEDGER, told, { node: small }).ledger;
    const rebound = edited(told[1]!, { sliceName: 'other' });
    assert.equal(reasonOf(admit(denied, [told[0]!, rebound], { node }).ledger, 'b'), 'InvalidSpec');
    const late = admit(admit(EMPTY_LEDGER, [], { node }).ledger, [told[1]!], { node }).ledger;
    assert.equal(reasonOf(late, 'b'), 'NotRedeemable', 'a status proves nothing once there is a ledger');
  });

  describe('and parts', () => {
    const whole = right('whole', { ...shares(300), memory: '1Gi' }, {}, { namespace: 'broker' });
    const part = offering(
      right('part', { ...shares(100), memory: '64Mi' }, { from: 'right-whole' }, { namespace: 'broker' }),
      VALUE,
    );
    const given = redeeming('given', VALUE, {}, { namespace: 'theirs', creationTimestamp: '2026-01-01T00:00:00Z' });
    const deep = right('deep', { ...shares(10), memory: '1Mi' }, { from: 'right-given' }, { namespace: 'theirs' });
    const lean = { ...shares(150), memory: '128Mi' };
    const all = [whole, part, given, deep];
    let { ledger: before } = admit(granted(whole, part), [whole, part, given]);
    before = admit(before, all).ledger;
    const promised = { whole: [300, undefined], given: [100, 'whole'], deep: [10, 'given'] };

    it('gives them back as parts of what they were part of, in whosever hands', () => {
      assert.deepEqual(heldIn(before), promised);
      for (const rcaps of [all, all.toReversed(), [whole, given, deep]]) {
        assert.deepEqual(heldIn(admit(before, rcaps, { node }).ledger), promised);
      }
    });

    it('gives a part back whose whole was released, before or meanwhile', () => {
      const freed = { given: [100, undefined], deep: [10, 'given'] };
      const released = admit(before, [given, deep]).ledger;
      assert.deepEqual(heldIn(admit(released, [given, deep], { node }).ledger), freed);
      assert.deepEqual(heldIn(admit(before, [given, deep], { node }).ledger), freed);
      const orphan = right('orphan', shares(10), { from: 'right-gone' });
      const gone = right('gone', shares(20));
      const alone = admit(granted(gone, orphan), [orphan]).ledger;
      assert.deepEqual(heldIn(admit(alone, [orphan], { node }).ledger), { orphan: [10, undefined] });
      const named = [orphan, right('new', shares(5), {}, { name: 'right-gone' })];
      assert.deepEqual(heldIn(admit(alone, named, { node }).ledger).orphan, [10, undefined], 'a name proves nothing');
    });

    it('gives none without its whole where that is there and did not fit', () => {
      const { ledger } = admit(before, all, { node: small });
      assert.deepEqual(heldIn(ledger), {});
      assert.match(entryOf(ledger, 'given')!.refusal!.message, /^it is part of broker\/right-whole, which/);
      assert.equal(reasonOf(ledger, 'deep'), 'NoParent');
      const less = edited(whole, { resources: lean });
      assert.deepEqual(heldIn(admit(before, [less, given, deep], { node: small }).ledger), {
        whole: [150, undefined],
        given: [100, 'whole'],
        deep: [10, 'given'],
      });
      const free = admit(ledger, [edited(given, {}), deep], { node: small }).ledger;
      assert.deepEqual(heldIn(free), { given: [100, undefined] }, 'it was released');
    });

    it('gives them back by statuses as parts of what they were part of, or not at all', () => {
      const told = all.map(statusIn(before));
      assert.deepEqual(heldIn(admit(EMPTY_LEDGER, told, { node }).ledger), promised);
      const freed = { given: [100, undefined], deep: [10, 'given'] };
      assert.deepEqual(heldIn(admit(EMPTY_LEDGER, told.slice(2), { node }).ledger), freed);
      const touched = edited(told[0]!, {});
      assert.deepEqual(heldIn(admit(EMPTY_LEDGER, [touched, ...told.slice(2)], { node }).ledger), {});
    });

    it('makes them wait for the answer to their whole', () => {
      const less = edited(whole, { resources: lean });
      const turns = (namespace: string): number => (namespace === 'broker' ? 0 : 9);
      const { ledger, waiting } = admit(before, [less, given, deep], { node: small, turns });
      assert.deepEqual([[...waiting], heldIn(ledger)], [['broker'], {}]);
      assert.equal(reasonOf(ledger, 'given'), undefined);
      assert.equal(Object.keys(heldIn(admit(ledger, [less, given, deep], { node: small }).ledger)).length, 3);
    });

    it('moves a part that was not granted anew along with its whole', () => {
      const first = offering(whole, 'c3'.repeat(32));
      const spec = { namespaces: [{ name: 'theirs', refused: true }] };
      const { ledger } = admit(before, [first, given, deep], { node, spec });
      assert.deepEqual(heldIn(ledger), { whole: [300, undefined] });
      const rcaps = [first, given, deep, redeeming('next', 'c3'.repeat(32))];
      const after = admit(ledger, rcaps, { node, spec }).ledger;
      assert.deepEqual(heldIn(after), { next: [300, undefined] });
      const asked = admit(after, rcaps.with(1, edited(given, {})), { node }).ledger;
      assert.deepEqual(heldIn(asked), { given: [100, 'next'], next: [300, undefined] });
    });
  });
});
