/** How much of a book, and of a node, one holder fills whatever he does. */
import assert from 'node:assert/strict';
import { amounts } from '../../../../crds/rspec.ts';
import type { Rspec } from '../../../../crds/types.ts';
import { type Book, bytesOf, MAX_BOOK } from '../../../../operator/brokers/tickets/books.ts';
import { formatSeconds, inFull } from '../../../../operator/brokers/tickets/claim.ts';
import { type Issuer, planRedemption } from '../../../../operator/brokers/tickets/plan.ts';
import { MAX_LINKS, type Ticket } from '../../../../operator/brokers/tickets/ticket.ts';
import { ANNA, asked, BEN, CARL, EMPTY, give, ISSUER, NOW, refused, shares, ticketFor, WINDOW } from './tickets.ts';
import { NONE, plan } from './redeeming.ts';

const END = Date.parse(WINDOW.end);
/** The n-th second before the end, one by one apart. */
const second = (n: number) => ({ start: formatSeconds(END - 2000 * n), end: formatSeconds(END - 2000 * n + 1000) });

interface Greedy {
  issuer: Issuer;
  issuers?: number;
  nodes: readonly string[];
  contact?: string;
  /** The n-th ticket. */
  ticket(n: number): Ticket;
}

/** All that Ben can redeem, and why no more. */
function redeemAll({ issuer, issuers = 1, nodes, contact = 'ops', ticket }: Greedy): { book: Book; why: unknown } {
  let book = EMPTY;
  try {
    for (let n = 1; ; n++) {
      const request = asked(ticket(n), BEN, { node: nodes[n % nodes.length]!, contact });
      book = planRedemption({ book, asked: request, issuer, revoked: NONE, issuers, now: NOW }).book!;
    }
  } catch (why) {
    return { book, why };
  }
}

const sizeOf = ({ entries }: Book): number => entries.reduce((sum, one) => sum + bytesOf(one), 0);

describe('the room in a book', () => {
  const ports = Array.from({ length: 64 }, (_, n) => ({ protocol: 'ICMP' as const, port: 60_000 + n }));
  const rest = { memory: '1Mi', disk: '1Mi', processes: 1000, openFiles: 1000, ports };
  const WIDE: Issuer = {
    ...ISSUER,
    nodes: Array.from({ length: 4 }, (_, n) => `${n}`.repeat(253)),
    amounts: amounts({
      ...rest,
      ...{ cpu: { shares: 1000 }, egress: { guarantee: '30M', limit: '50M' }, memory: '4Gi', disk: '4Gi' },
    }),
  };
  const wide = (count: number): Rspec =>
    inFull({ ...rest, cpu: { shares: count }, egress: { guarantee: '1M', limit: '20M' } });

  /** As large as an entry can be: all links, all ports, and a contact of four bytes a character. */
  function greedy(count: number): Greedy {
    let whole = give(ticketFor({ resources: wide(count) }), ANNA, BEN);
    while (whole.length < MAX_LINKS - 1) whole = give(whole, BEN, BEN);
    return {
      issuer: WIDE,
      nodes: WIDE.nodes,
      contact: '\u{1F600}'.repeat(254),
      ticket: (n) => give(whole, BEN, BEN, { window: second(n) }),
    };
  }

  it('is filled by nobody beyond his part of what the issuer may give on all nodes', () => {
    // of four nodes with 1000 shares each
    const { book, why } = redeemAll(greedy(620));
    assert.ok(
      refused(
        'TooMany',
        /^what is redeemed of what .* more than the 125550 bytes of site's book .*: redeem fewer/,
      )(why),
      String(why),
    );
    const most = 0.155 * 0.9 * MAX_BOOK;
    const largest = Math.max(...book.entries.map(bytesOf));
    assert.ok(sizeOf(book) <= most && sizeOf(book) > most - largest, `${sizeOf(book)} of ${most}`);
    assert.ok(largest > 4000, 'not as large as it could be');
    // whoever has the others' part finds it
    const other = ticketFor({ resources: { ...wide(10), ports: [] }, holder: CARL.publicKey });
    const request = asked(other, CARL, { node: WIDE.nodes[0]! });
    assert.ok(planRedemption({ book, asked: request, issuer: WIDE, revoked: NONE, issuers: 1, now: NOW }).book);
  });

  it('is there for the largest entry of whoever was given little, and for some more', () => {
    const { book, why } = redeemAll(greedy(1));
    assert.ok(refused('TooMany')(why), String(why));
    assert.equal(book.entries.length, 2);
    assert.ok(sizeOf(book) <= MAX_BOOK / 100);
    const little = give(ticketFor(), ANNA, BEN, { resources: shares(1) });
    const nodes = ['node1', 'node2'];
    const small = redeemAll({ issuer: ISSUER, nodes, ticket: (n) => give(little, BEN, BEN, { window: second(n) }) });
    assert.ok(small.book.entries.length > 10, `${small.book.entries.length}`);
    assert.ok(plan(small.book, give(ticketFor(), ANNA, CARL, { resources: shares(90) }), CARL).book);
  });

  it('is never all of it, however much more than the issuer has a link says', () => {
    const issuer = { ...WIDE, amounts: { ...WIDE.amounts, shares: 10 }, nodes: [WIDE.nodes[0]!] };
    const whole = ticketFor({ resources: wide(1000) });
    const ticket = (n: number) => give(whole, ANNA, BEN, { resources: wide(10), window: second(n) });
    const { book, why } = redeemAll({ ...greedy(10), issuer, nodes: issuer.nodes, ticket });
    assert.ok(refused('TooMany', /810000 bytes/)(why), String(why));
    assert.ok(sizeOf(book) <= 0.9 * MAX_BOOK, `${sizeOf(book)}`);
  });
});

describe('the room on a node', () => {
  const nodes = ['node1'];

  it('is no more than the issuer has there', () => {
    // each second another ticket of the issuer's
    const ticket = (n: number) => give(ticketFor(), ANNA, BEN, { window: second(n) });
    const { book, why } = redeemAll({ issuer: ISSUER, issuers: 30, nodes, ticket });
    assert.ok(refused('TooMany', /^site has 30 tickets redeemed on node1, and so many are kept$/)(why), String(why));
    assert.equal(book.entries.length, 30);
    assert.ok(plan(book, ticketFor({ resources: shares(1) }), ANNA, { node: 'node2' }).book);
  });

  it('is filled by nobody beyond his part of what the issuer may give there', () => {
    const third = ticketFor({ resources: { ...shares(100), memory: '1Gi' } });
    const ticket = (n: number) => give(third, ANNA, BEN, { window: second(n) });
    const { book, why } = redeemAll({ issuer: ISSUER, issuers: 30, nodes, ticket });
    assert.ok(refused('TooMany', /9 tickets are redeemed on node1, .*: redeem larger ones$/)(why), String(why));
    assert.equal(book.entries.length, 9);
    assert.ok(plan(book, ticketFor({ resources: shares(1) }), ANNA).book);
    const few = redeemAll({ issuer: ISSUER, issuers: 900, nodes, ticket });
    assert.equal(few.book.entries.length, 1, 'and each finds one place, where there is one');
  });
});
