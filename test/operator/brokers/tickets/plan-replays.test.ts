/** What a book remembers of requests that were refused. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { bytesOf, MAX_BOOK } from '../../../../operator/brokers/tickets/books.ts';
import { planDrop, planHandOver, planRequest } from '../../../../operator/brokers/tickets/plan.ts';
import { isRefused, MOST_REFUSED, remember, withoutStale } from '../../../../operator/brokers/tickets/replays.ts';
import { FRESH_SECONDS, readRequest } from '../../../../operator/brokers/tickets/request.ts';
import { planForget, planSweep } from '../../../../operator/brokers/tickets/sweep.ts';
import { verify } from '../../../../operator/brokers/tickets/ticket.ts';
import {
  ANNA,
  asked,
  BEN,
  BROKER,
  EMPTY,
  give,
  ISSUER,
  nonceOf,
  NOW,
  refused,
  requestText,
  shares,
  SITE,
  ticketFor,
} from './tickets.ts';
import { NONE, redeemed } from './redeeming.ts';

describe('what is remembered of requests', () => {
  const [ticket] = verify(ticketFor()).ids as [string];
  const sent = (n: number) => ({ ticket, nonce: nonceOf(`sent ${n}`) });

  it('is bounded, and what has no place is not decided', () => {
    const all = Array.from({ length: MOST_REFUSED + 3 }, (_, n) => sent(n));
    const { book, left } = remember(EMPTY, all, NOW / 1000);
    assert.deepEqual([...left], all.slice(MOST_REFUSED));
    assert.ok(isRefused(book, all[0]!) && !isRefused(book, all.at(-1)!));
    const revoked = new Set([ANNA.publicKey]);
    const input = { book, issuer: ISSUER, revoked, issuers: 1, now: NOW };
    const request = asked(ticketFor(), ANNA);
    const planned = planRequest({ ...input, asked: request });
    assert.ok('refusal' in planned && planned.book === undefined);
    assert.ok(refused('Busy', /the same nonce. As it is, Revoked: nothing/)(planned.refusal));
    // and there is a place as soon as the first are stale
    const later = planRequest({ ...input, asked: request, now: NOW + 2 * FRESH_SECONDS * 1000 });
    assert.ok('refusal' in later && later.refusal.reason === 'Revoked' && later.book);
    // beside as many entries as there may be it fits into an object
    const [entry] = redeemed([ticketFor(), ANNA]).entries;
    const entries = Array.from({ length: Math.floor(MAX_BOOK / bytesOf(entry!)) }, () => entry!);
    const size = JSON.stringify({ ...book, entries }).length;
    assert.ok(size > 1_000_000 && size < 2 ** 20, `${size}`);
  });

  it('is forgotten when all are stale', () => {
    const { book } = remember(EMPTY, [sent(1), sent(2)], NOW / 1000);
    const end = NOW + 2 * FRESH_SECONDS * 1000;
    assert.equal(withoutStale(book, end - 1), book);
    assert.deepEqual(withoutStale(book, end).refused, {});
    assert.deepEqual(planSweep(book, end - 1), { gone: [] });
    assert.deepEqual(planSweep(book, end), { book: { ...book, refused: {} }, gone: [] });
  });

  it('lets no request be redeemed after it was refused, whatever is asked in between', () => {
    let again = 0;
    const step = fc.record({
      request: fc.nat({ max: 7 }),
      next: fc.constantFrom('nothing', 'hand', 'drop', 'drop', 'wait'),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (sequence) => {
        const whole = ticketFor();
        const requests = [40, 60, 70, 100].flatMap((count, n) => {
          const part = give(whole, ANNA, BEN, { resources: { ...shares(count), memory: '1Mi' } });
          return ['node1', 'node2'].map((node) => requestText(part, BEN, { node, nonce: nonceOf(`${n} ${node}`) }));
        });
        let [book, now] = [EMPTY, NOW];
        const ever = new Set<string>();
        for (const { request, next } of sequence) {
          const issuers = new Set([SITE.publicKey]);
          const known = readRequest(requests[request]!, { broker: BROKER.publicKey, issuers, now });
          const planned = planRequest({ book, asked: known, issuer: ISSUER, revoked: NONE, issuers: 1, now });
          book = planned.book ?? book;
          if (ever.has(known.nonce)) again++;
          if ('refusal' in planned) ever.add(known.nonce);
          else assert.ok(!ever.has(known.nonce), 'it was refused before');
          const entry = book.entries[0];
          if (next === 'wait') now = Math.min(now + 30_000, NOW + FRESH_SECONDS * 1000);
          else if (entry && next === 'hand') book = planHandOver(book, entry).book ?? book;
          else if (entry?.state === 'Asked' && next === 'drop') {
            book = planForget(planDrop(book, entry.name)!, new Set([entry.name]), now)!;
            ever.add(entry.nonce);
          }
        }
      }),
      { numRuns: 100 },
    );
    assert.ok(again > 100, `${again} refused again: nothing was tried`);
  });
});
