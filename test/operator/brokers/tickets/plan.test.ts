import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { amounts } from '../../../../crds/rspec.ts';
import { type Book, MAX_BOOK, ticketOf } from '../../../../operator/brokers/tickets/books.ts';
import { formatSeconds } from '../../../../operator/brokers/tickets/claim.ts';
import type { KeyPair } from '../../../../operator/brokers/tickets/key.ts';
import { issuerHash } from '../../../../operator/brokers/tickets/names.ts';
import {
  KEPT_MS,
  PATIENCE_MS,
  planDrop,
  planForget,
  planHandOver,
  planOrphans,
  planRedemption,
  planSweep,
  planTaken,
  type Redemption,
} from '../../../../operator/brokers/tickets/plan.ts';
import { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import { type Ticket, verify } from '../../../../operator/brokers/tickets/ticket.ts';
import {
  ANNA,
  asked,
  BEN,
  BROKER,
  CARL,
  EMPTY,
  give,
  ISSUER,
  NOW,
  nonceOf,
  refused,
  shares,
  SITE,
  ticketFor,
  WINDOW,
} from './tickets.ts';

const NONE: ReadonlySet<string> = new Set();

interface Try {
  node?: string;
  nonce?: string;
  now?: number;
  revoked?: ReadonlySet<string>;
}

function plan(
  book: Book,
  ticket: Ticket,
  holder: KeyPair,
  { now = NOW, revoked = NONE, ...change }: Try = {},
): Redemption {
  return planRedemption({ book, asked: asked(ticket, holder, change), issuer: ISSUER, revoked, issuers: 1, now });
}

/** The book with these redeemed, each by its own holder. */
function redeemed(...tickets: [Ticket, KeyPair, Try?][]): Book {
  return tickets.reduce((book, [ticket, holder, change]) => plan(book, ticket, holder, change).book!, EMPTY);
}

describe('a redemption', () => {
  it('is written down before anything else, and answered again when it is asked again', () => {
    const ticket = ticketFor();
    const { book, entry } = plan(EMPTY, ticket, ANNA, { nonce: nonceOf('one') });
    assert.deepEqual(book!.entries, [entry]);
    assert.deepEqual([entry.state, entry.node, entry.time], ['Asked', 'node1', NOW]);
    const again = plan(book!, ticket, ANNA, { nonce: nonceOf('one') });
    assert.deepEqual(again, { entry });
  });

  it('is refused the second time', () => {
    const ticket = ticketFor();
    const book = redeemed([ticket, ANNA]);
    assert.throws(() => plan(book, ticket, ANNA), refused('AlreadyRedeemed', /by another request/));
    const handed = planHandOver(book, book.entries[0]!).book!;
    assert.throws(() => plan(handed, ticket, ANNA), refused('AlreadyRedeemed', /was redeemed, on node1/));
    assert.throws(() => plan(handed, ticket, ANNA, { node: 'node2' }), refused('AlreadyRedeemed'));
  });

  it('of what was given away is refused to the giver, and of what was redeemed to the others', () => {
    const ticket = ticketFor({ resources: shares(100) });
    const part = give(ticket, ANNA, BEN, {
      resources: { ...shares(70), egress: { guarantee: '1k', limit: '1M' }, memory: '1' },
    });
    const other = give(ticket, ANNA, CARL, {
      resources: { ...shares(31), egress: { guarantee: '1k', limit: '1M' }, memory: '1' },
    });
    const book = redeemed([part, BEN]);
    assert.throws(
      () => plan(book, ticket, ANNA),
      refused('OverIssued', /^asks 100 shares, 30 of 100 left of what .* was given/),
    );
    assert.throws(
      () => plan(book, other, CARL),
      (error) =>
        refused('OverIssued', /^asks 31 shares, 30 of 100 left .* until 2026-12-01T00:00:00Z: the rest/)(error) &&
        (error as Refusal).details.left!.shares === 30,
    );
    const less = give(other, CARL, CARL, { resources: { ...other[1]!.claim.resources, cpu: { shares: 30 } } });
    assert.equal(plan(book, less, CARL).book!.entries.length, 2);
    const full = redeemed([ticket, ANNA]);
    assert.throws(() => plan(full, part, BEN), refused('OverIssued', /0 of 100 left/));
  });

  it('may be of windows that only touch', () => {
    const ticket = ticketFor();
    const middle = '2026-11-15T00:00:00Z';
    const first = give(ticket, ANNA, BEN, { window: { ...WINDOW, end: middle } });
    const second = give(ticket, ANNA, CARL, { window: { ...WINDOW, start: middle } });
    const across = give(ticket, ANNA, CARL, { window: { start: '2026-11-14T23:59:59Z', end: WINDOW.end } });
    const book = redeemed([first, BEN]);
    assert.ok(plan(book, second, CARL).book);
    assert.throws(() => plan(book, across, CARL), refused('OverIssued'));
    const most = { ...shares(60), memory: '600Mi' };
    const [before, after] = [first, second].map((one, n) =>
      give(one, [BEN, CARL][n]!, [BEN, CARL][n]!, { resources: most }),
    ) as [Ticket, Ticket];
    const rest = give(ticket, ANNA, ANNA, { resources: { ...shares(40), memory: '424Mi' } });
    // what ends and what begins at the same instant do not add up
    for (const one of [redeemed([before, BEN], [after, CARL]), redeemed([after, CARL], [before, BEN])]) {
      assert.equal(plan(one, rest, ANNA).book!.entries.length, 3);
    }
  });

  it('gives a port once', () => {
    const resources = { ...shares(10), ports: [{ protocol: 'TCP' as const, port: 80 }] };
    const ticket = ticketFor({
      resources: { ...resources, cpu: { shares: 20 }, egress: { guarantee: '1M', limit: '20M' }, memory: '1Gi' },
    });
    const issuer = { ...ISSUER, amounts: { ...ISSUER.amounts, ports: resources.ports } };
    const [one, two] = [BEN, CARL].map((to) => give(ticket, ANNA, to, { resources })) as [Ticket, Ticket];
    const input = { issuer, revoked: NONE, issuers: 1, now: NOW };
    const { book } = planRedemption({ book: EMPTY, asked: asked(one, BEN), ...input });
    assert.throws(
      () => planRedemption({ book: book!, asked: asked(two, CARL, { node: 'node2' }), ...input }),
      refused('OverIssued', /^asks port TCP 80, which others redeemed/),
    );
  });

  it('of an issuer never exceeds what is agreed with him, on each node', () => {
    const tickets = [1, 2, 3, 4].map(() => ticketFor());
    const book = redeemed([tickets[0]!, ANNA], [tickets[1]!, ANNA], [tickets[2]!, ANNA]);
    assert.throws(
      () => plan(book, tickets[3]!, ANNA),
      refused('OverIssued', /0 of 300 left of what site may give on node1/),
    );
    assert.ok(plan(book, tickets[3]!, ANNA, { node: 'node2' }).book);
    const large = ticketFor({ resources: { ...shares(301) } });
    assert.throws(
      () => plan(EMPTY, large, ANNA),
      refused('OverIssued', /more than site may give, which has 300 shares/),
    );
    assert.throws(() => plan(EMPTY, ticketFor(), ANNA, { node: 'node3' }), refused('WrongNode', /node1, node2/));
    const nodes = Array.from({ length: 10_000 }, (_, n) => `node${n}`);
    const input = { book: EMPTY, revoked: NONE, issuers: 1, now: NOW };
    assert.throws(
      () =>
        planRedemption({
          ...input,
          asked: asked(ticketFor(), ANNA, { node: 'other' }),
          issuer: { ...ISSUER, nodes },
        }),
      refused('WrongNode', /node8, node9 and 9990 more$/),
    );
    const bound = ticketFor({ node: 'node2' });
    assert.throws(() => plan(EMPTY, bound, ANNA), refused('WrongNode', /^the ticket is for node2/));
  });

  it('is of no ticket that is over or revoked, but of one that begins later', () => {
    const ticket = give(ticketFor(), ANNA, BEN);
    assert.throws(() => plan(EMPTY, ticket, BEN, { now: Date.parse(WINDOW.end) }), refused('Expired'));
    assert.ok(plan(EMPTY, ticket, BEN, { now: Date.parse(WINDOW.start) - 1 }).book);
    for (const one of [ANNA.publicKey, BEN.publicKey, SITE.publicKey, verify(ticket).ids[0]!]) {
      assert.throws(() => plan(EMPTY, ticket, BEN, { revoked: new Set([one]) }), refused('Revoked'));
    }
    assert.ok(plan(EMPTY, ticket, BEN, { revoked: new Set([CARL.publicKey, BROKER.publicKey]) }).book);
  });

  it('is refused when the book is full, which says until when', () => {
    const [entry] = redeemed([ticketFor({ resources: shares(1) }), ANNA]).entries;
    const size = JSON.stringify(entry).length;
    const entries = Array.from({ length: Math.ceil(MAX_BOOK / size) }, (_, n) => ({
      ...entry!,
      ids: [`other ${n}`.padEnd(43)],
      node: `node${n + 3}`,
      window: { start: '2026-10-01T00:00:00Z', end: '2026-11-01T00:00:00Z' },
    }));
    const full = { ...EMPTY, entries };
    assert.throws(() => plan(full, ticketFor(), ANNA), refused('BookFull', /2026-11-01T01:00:00/));
  });
});

describe('entries one after the other in the same share', () => {
  /** All that ben can redeem of seconds of his ticket. */
  function seconds(ticket: Ticket, issuers: number, change: { node?: string } = {}): { book: Book; why: unknown } {
    const end = Date.parse(WINDOW.end);
    let book = EMPTY;
    try {
      for (let n = 1; ; n++) {
        const window = { start: formatSeconds(end - 2000 * n), end: formatSeconds(end - 2000 * n + 1000) };
        const request = asked(give(ticket, BEN, BEN, { window }), BEN, change);
        book = planRedemption({ book, asked: request, issuer: ISSUER, revoked: NONE, issuers, now: NOW }).book!;
      }
    } catch (why) {
      return { book, why };
    }
  }

  it('fill no more of the book than their part of what the issuer gives, and keep nobody out', () => {
    const { book, why } = seconds(give(ticketFor(), ANNA, BEN, { resources: shares(1) }), 1);
    assert.ok(refused('TooMany')(why), String(why));
    assert.equal(book.entries.length, 8);
    assert.ok(plan(book, give(ticketFor(), ANNA, CARL, { resources: shares(90) }), CARL).book);
  });

  it('are no more on a node than the issuer has room there', () => {
    const { book, why } = seconds(give(ticketFor(), ANNA, BEN), 30);
    assert.ok(refused('TooMany', /30 tickets redeemed on node1/)(why), String(why));
    assert.equal(book.entries.length, 30);
    assert.ok(plan(book, ticketFor({ resources: shares(1) }), ANNA, { node: 'node2' }).book);
  });
});

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
    assert.throws(() => plan(dropped, ticket, ANNA, { nonce: nonceOf('first') }), refused('NotAnswered'));
    const second = plan(dropped, ticket, ANNA, { nonce: nonceOf('second') });
    assert.notEqual(second.entry.name, entry!.name);
    const forgotten = planForget(second.book!, new Set([entry!.name]))!;
    assert.deepEqual(forgotten.entries, [second.entry]);
    assert.equal(planForget(forgotten, new Set([entry!.name])), undefined);
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
              book = planForget(book, new Set(planSweep(book, now).gone.map(({ name }) => name))) ?? book;
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
        assert.deepEqual((planForget(swept, names) ?? swept).entries, []);
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
