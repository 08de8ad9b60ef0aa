/** What a ticket is redeemed for, and why it is not. */
import assert from 'node:assert/strict';
import { MAX_BOOK } from '../../../../operator/brokers/tickets/books.ts';
import { planHandOver, planRedemption } from '../../../../operator/brokers/tickets/plan.ts';
import type { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
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
  nonceOf,
  NOW,
  refused,
  shares,
  SITE,
  ticketFor,
  WINDOW,
} from './tickets.ts';
import { NONE, plan, redeemed } from './redeeming.ts';

describe('a redemption', () => {
  it('is written down before anything else, and answered again when it is asked again', () => {
    const ticket = ticketFor();
    const { book, entry } = plan(EMPTY, ticket, ANNA, { nonce: nonceOf('one') });
    assert.deepEqual(book!.entries, [entry]);
    assert.deepEqual([entry.state, entry.node, entry.time], ['Asked', 'node1', NOW]);
    const again = plan(book!, ticket, ANNA, { nonce: nonceOf('one') });
    assert.deepEqual(again, { entry });
    const elsewhere = () => plan(book!, ticket, ANNA, { nonce: nonceOf('one'), node: 'node2' });
    assert.throws(elsewhere, refused('AlreadyRedeemed', /was for node1: ask for that node again$/));
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
    const fast = ticketFor({ resources: { ...shares(40), egress: { guarantee: '1M', limit: '900M' } } });
    assert.throws(() => plan(EMPTY, fast, ANNA), refused('OverIssued', /an egress limit of 50 Mbit\/s$/));
    const wide = ticketFor({ resources: { ...shares(40), memory: '900Gi' } });
    assert.throws(() => plan(EMPTY, wide, ANNA), refused('OverIssued', /memory 4 GiB: give no more, and give it$/));
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
