/** What is in the books, for how long, and what they tell of rights. */
import assert from 'node:assert/strict';
import { KEPT_MS } from '../../../../operator/brokers/tickets/books.ts';
import { issuerHash } from '../../../../operator/brokers/tickets/names.ts';
import { planDrop, planHandOver } from '../../../../operator/brokers/tickets/plan.ts';
import {
  PATIENCE_MS,
  planForget,
  planOrphans,
  planSweep,
  planTaken,
} from '../../../../operator/brokers/tickets/sweep.ts';
import { ANNA, nonceOf, NOW, refused, SITE, ticketFor, WINDOW } from './tickets.ts';
import { plan, redeemed } from './redeeming.ts';

describe('the books', () => {
  const ticket = ticketFor();
  const book = redeemed([ticket, ANNA, { nonce: nonceOf('first') }]);
  const [entry] = book.entries;

  it('give up what nobody answered, and never what was handed', () => {
    const later = NOW + PATIENCE_MS;
    assert.deepEqual(planSweep(book, later - 1), { gone: [] });
    const swept = planSweep(book, later);
    assert.deepEqual([swept.book!.entries[0]!.state, swept.gone.length], ['Dropped', 1]);
    assert.equal(planHandOver(swept.book!, entry!).ok, false);
    const handed = planHandOver(book, entry!).book!;
    assert.deepEqual(planSweep(handed, later), { gone: [] });
    assert.equal(planDrop(handed, entry!.name), undefined);
    assert.deepEqual(planHandOver(handed, entry!), { ok: true });
  });

  it('let a ticket be redeemed anew when an attempt was dropped, but not by the same request', () => {
    const dropped = planDrop(book, entry!.name)!;
    assert.throws(() => plan(dropped, ticket, ANNA, { nonce: nonceOf('first') }), refused('AlreadyRefused'));
    const second = plan(dropped, ticket, ANNA, { nonce: nonceOf('second') });
    assert.notEqual(second.entry.name, entry!.name);
    const forgotten = planForget(second.book!, new Set([entry!.name]), NOW)!;
    assert.deepEqual(forgotten.entries, [second.entry]);
    assert.equal(Object.keys(forgotten.refused!).length, 1);
    assert.equal(planForget(forgotten, new Set([entry!.name]), NOW), undefined);
  });

  it('are pruned some time after the end', () => {
    const handed = planHandOver(book, entry!).book!;
    const end = Date.parse(WINDOW.end);
    assert.deepEqual(planSweep(handed, end + KEPT_MS - 1).gone, []);
    assert.deepEqual(planSweep(handed, end + KEPT_MS).gone, handed.entries);
  });

  it('tell which rights nobody can have been handed, and nothing where a book is gone', () => {
    const issuer = issuerHash(SITE.publicKey);
    const found = [
      { name: entry!.name, issuer, created: 0 },
      { name: 'ticket-stray', issuer, created: NOW - PATIENCE_MS },
      { name: 'ticket-young', issuer, created: NOW - PATIENCE_MS + 1 },
      { name: 'ticket-bookless', issuer: 'other', created: 0 },
    ].map((one) => ({ ...one, isTaken: false }));
    assert.deepEqual(planOrphans(found, [book], NOW), ['ticket-stray']);
    assert.deepEqual(planOrphans(found, [], NOW), []);
  });

  it('let rights go that were taken over, but for the one that ends last, which tells that there was a book', () => {
    const issuer = issuerHash(SITE.publicKey);
    const ends = ['2026-12-02T00:00:00Z', '2026-12-03T00:00:00Z', '2026-12-04T00:00:00Z', '2026-12-05T00:00:00Z'];
    const handed = planHandOver(book, entry!).book!.entries[0]!;
    const entries = ends.map((end, n) => ({ ...handed, name: `t${n}`, window: { ...handed.window, end } }));
    const full = { ...book, entries: [...entries, { ...handed, name: 't4', state: 'Asked' as const }] };
    const found = [...entries.keys(), 4].map((n) => ({ name: `t${n}`, issuer, created: 0, isTaken: n !== 1 }));
    assert.deepEqual(planTaken(found, [full]).toSorted(), ['t0', 't2']);
    assert.deepEqual(planTaken(found.slice(0, 1), [full]), [], 'the last');
    assert.deepEqual(planTaken(found, []), []);
  });
});
