import assert from 'node:assert/strict';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import { hasQuestions } from '../../../node-daemonset/admission/plan.ts';
import { bounded, lean, Turns } from '../../../node-daemonset/admission/turns.ts';
import { admit, edited, granted, NODE, NOW, right, shares, statusIn } from '../rights.ts';

describe('turns', () => {
  it('let a namespace that asks without end wait, and nobody else', () => {
    let now = 0;
    const turns = new Turns(() => now);
    for (let i = 0; i < 1000; i++) turns.spend('noisy');
    assert.deepEqual([turns.left('noisy'), turns.left('team')], [0, 1000]);
    now += 10_000;
    assert.equal(turns.left('noisy'), 20);
    now -= 60_000;
    assert.ok(turns.left('noisy') <= 20);
  });

  it('leave questions beyond them unanswered for now, and tell whose', () => {
    const noisy = ['n1', 'n2', 'n3'].map((uid) => right(uid, {}, {}, { namespace: 'noisy' }));
    const { ledger, waiting } = admit(EMPTY_LEDGER, [...noisy, right('a')], {
      turns: (namespace) => (namespace === 'noisy' ? 2 : 5),
    });
    assert.deepEqual([...waiting], ['noisy']);
    assert.equal(ledger.entries.length, 3);
    assert.ok(ledger.entries.some(({ uid }) => uid === 'a'));
    assert.ok(hasQuestions(ledger, noisy));
    const later = admit(ledger, [...noisy, right('a')]);
    assert.deepEqual([later.waiting.size, later.ledger.entries.length], [0, 4]);
  });

  it('are not waited for by what goes without an answer', () => {
    const gone = right('a', {}, {}, { deletionTimestamp: '2026-10-31T00:00:00Z' });
    assert.equal(hasQuestions(EMPTY_LEDGER, [gone]), false);
    const held = granted(right('a'));
    assert.equal(hasQuestions(held, [edited(gone, {})]), true);
  });

  it('keep of an rcap what admission reads, and nothing that may be large', () => {
    const rcap = right('a', shares(3));
    const large = 'x'.repeat(1000);
    const { labels } = rcap.metadata;
    const metadata = { ...rcap.metadata, finalizers: [large], labels: { ...labels, large }, annotations: { large } };
    const kept = lean({ ...rcap, metadata });
    assert.ok(JSON.stringify(kept).length < 600);
    assert.deepEqual(admit(EMPTY_LEDGER, [kept]).ledger, admit(EMPTY_LEDGER, [rcap]).ledger);
  });

  it('bound what one namespace makes the node look at, and let go nothing that is granted', () => {
    const youngest = right('granted', shares(1), {}, { creationTimestamp: new Date(NOW).toISOString() });
    const many = Array.from({ length: 1500 }, (_, i) => right(`r${i}`));
    const left = bounded([...many, youngest, right('b', {}, {}, { namespace: 'other' })], granted(youngest));
    assert.equal(left.length, 1001);
    for (const uid of ['granted', 'b']) assert.ok(left.some(({ metadata }) => metadata.uid === uid));
    const anew = admit(granted(youngest), undefined, { node: { ...NODE, uid: 'registered-anew' } }).ledger;
    assert.ok(bounded([...many, youngest], anew).includes(youngest), 'nor what was, and is to be granted anew');
    const refusal = { generation: Number.MAX_SAFE_INTEGER, reason: 'Transferred', message: '', time: NOW };
    const passed = many.map(({ metadata: { uid = '', name } }) => ({ uid, namespace: 'team', name, refusal }));
    const asking = { ...youngest, metadata: { ...youngest.metadata, uid: 'asking' } };
    const seen = bounded([...many, asking], { ...EMPTY_LEDGER, entries: passed });
    assert.ok(seen.includes(asking), 'records of what passed to another keep no question out');
    const told = [...passed.map(({ uid }) => uid), 'granted'];
    const ledger = { ...EMPTY_LEDGER, entries: [...passed, ...granted(youngest).entries] };
    const statuses = [...many, youngest, asking].map(statusIn(ledger));
    assert.ok(told.every((uid) => statuses.some((rcap) => rcap.metadata.uid === uid && rcap.status)));
    const rebuilt = bounded(statuses, EMPTY_LEDGER).map(({ metadata }) => metadata.uid);
    assert.equal(rebuilt.length, 1000);
    for (const uid of ['granted', 'asking']) assert.ok(rebuilt.includes(uid), `${uid}, where the ledger was lost`);
    const few = [right('a')];
    assert.equal(bounded(few, EMPTY_LEDGER), few);
  });
});
