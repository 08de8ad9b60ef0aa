/** Whatever is given, redeemed and forgotten, no ticket grants twice. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { amounts } from '../../../../crds/rspec.ts';
import { type Book, KEPT_MS, ticketOf } from '../../../../operator/brokers/tickets/books.ts';
import { formatSeconds } from '../../../../operator/brokers/tickets/claim.ts';
import type { KeyPair } from '../../../../operator/brokers/tickets/key.ts';
import { planDrop, planHandOver, planRedemption } from '../../../../operator/brokers/tickets/plan.ts';
import { planForget, planSweep } from '../../../../operator/brokers/tickets/sweep.ts';
import { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import { type Ticket, verify } from '../../../../operator/brokers/tickets/ticket.ts';
import { ANNA, asked, BEN, CARL, EMPTY, give, ISSUER, nonceOf, NOW, ticketFor, WINDOW } from './tickets.ts';
import { NONE } from './redeeming.ts';

const day = (n: number): string => formatSeconds(Date.parse(WINDOW.start) + n * 86_400_000);
const KEYS = [ANNA, BEN, CARL];

/** A step: somebody gives a part of a ticket to somebody, or redeems one, or time passes, or a broker ends between two steps. */
const steps = fc.oneof(
  fc.record({
    step: fc.constant('give' as const),
    of: fc.nat(),
    to: fc.nat({ max: 2 }),
    shares: fc.integer({ min: 1, max: 100 }),
    from: fc.nat({ max: 14 }),
    days: fc.integer({ min: 1, max: 15 }),
  }),
  fc.record({
    step: fc.constant('redeem' as const),
    of: fc.nat(),
    node: fc.constantFrom('node1', 'node2'),
    again: fc.boolean(),
  }),
  fc.record({ step: fc.constant('settle' as const), of: fc.nat(), how: fc.constantFrom('hand', 'drop', 'forget') }),
  fc.record({ step: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3 * 86_400_000 }) }),
);

describe('whatever is given to whomever', () => {
  it('no ticket grants twice, no link gives more than it has at any instant, and nothing is left in the end', () => {
    let granted = 0;
    let overIssued = 0;
    fc.assert(
      fc.property(fc.array(steps, { minLength: 5, maxLength: 40 }), (sequence) => {
        const tickets: { ticket: Ticket; holder: KeyPair }[] = [{ ticket: ticketFor(), holder: ANNA }];
        let [book, now, count] = [EMPTY, NOW, 0];
        const everHanded = new Set<string>();
        for (const one of sequence) {
          if (one.step === 'wait') {
            now += one.ms;
            book = planSweep(book, now).book ?? book;
          } else if (one.step === 'settle') {
            const entry = book.entries[one.of % (book.entries.length || 1)];
            if (!entry) continue;
            if (one.how === 'drop') book = planDrop(book, entry.name) ?? book;
            else if (one.how === 'forget') {
              book = planForget(book, new Set(planSweep(book, now).gone.map(({ name }) => name)), now) ?? book;
            } else {
              const { ok, book: next } = planHandOver(book, entry);
              if (ok && next) {
                assert.ok(!everHanded.has(ticketOf(entry)), 'a ticket was handed twice');
                everHanded.add(ticketOf(entry));
              }
              book = next ?? book;
            }
          } else {
            const { ticket, holder } = tickets[one.of % tickets.length]!;
            try {
              if (one.step === 'give') {
                const { resources } = ticket.at(-1)!.claim;
                const change = {
                  resources: { ...resources, cpu: { shares: one.shares } },
                  window: { start: day(one.from), end: day(one.from + one.days) },
                };
                tickets.push({ ticket: give(ticket, holder, KEYS[one.to]!, change), holder: KEYS[one.to]! });
              } else {
                const nonce = nonceOf(one.again ? 'same' : `nonce ${count++}`);
                const plan = planRedemption({
                  book,
                  asked: asked(ticket, holder, { node: one.node, nonce }),
                  issuer: { ...ISSUER, amounts: { ...ISSUER.amounts, shares: 120 } },
                  revoked: NONE,
                  issuers: 1,
                  now,
                });
                if (plan.book) granted++;
                book = plan.book ?? book;
              }
            } catch (error) {
              assert.ok(error instanceof Refusal, String(error));
              if (error.reason === 'OverIssued') overIssued++;
            }
          }
          check(
            book,
            tickets.map(({ ticket }) => ticket),
          );
        }
        const end = Date.parse(WINDOW.end) + KEPT_MS;
        const { book: swept = book, gone } = planSweep(book, end);
        const names = new Set(gone.map(({ name }) => name));
        assert.deepEqual((planForget(swept, names, end) ?? swept).entries, []);
      }),
      { numRuns: 200 },
    );
    assert.ok(granted > 200 && overIssued > 50, `${granted} granted, ${overIssued} refused: nothing was tried`);
  });
});

/** The sums once more, instant by instant, for every link that there is. */
function check(book: Book, tickets: readonly Ticket[]): void {
  const live = book.entries.filter(({ state }) => state !== 'Dropped');
  const own = live.map(ticketOf);
  assert.equal(new Set(own).size, own.length, 'a ticket is in the book twice');
  const instants = live.map(({ window }) => window.start);
  for (const ticket of tickets) {
    const { ids, worths } = verify(ticket);
    const through = live.filter((one) => one.ids.includes(ids.at(-1)!));
    for (const instant of instants) {
      const now = through.filter(({ window }) => window.start <= instant && instant < window.end);
      const sum = now.reduce((total, { resources }) => total + amounts(resources).shares, 0);
      assert.ok(sum <= worths.at(-1)!.amounts.shares, `${sum} shares redeemed at ${instant}`);
    }
  }
}
