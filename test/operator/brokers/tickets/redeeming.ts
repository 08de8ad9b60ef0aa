/** Tickets that are redeemed in a book, one after the other. */
import type { Book } from '../../../../operator/brokers/tickets/books.ts';
import type { KeyPair } from '../../../../operator/brokers/tickets/key.ts';
import { planRedemption, type Redemption } from '../../../../operator/brokers/tickets/plan.ts';
import type { Ticket } from '../../../../operator/brokers/tickets/ticket.ts';
import { asked, EMPTY, ISSUER, NOW } from './tickets.ts';

export const NONE: ReadonlySet<string> = new Set();

interface Try {
  node?: string;
  nonce?: string;
  now?: number;
  revoked?: ReadonlySet<string>;
}

export function plan(
  book: Book,
  ticket: Ticket,
  holder: KeyPair,
  { now = NOW, revoked = NONE, ...change }: Try = {},
): Redemption {
  return planRedemption({ book, asked: asked(ticket, holder, change), issuer: ISSUER, revoked, issuers: 1, now });
}

/** The book with these redeemed, each by its own holder. */
export function redeemed(...tickets: [Ticket, KeyPair, Try?][]): Book {
  return tickets.reduce((book, [ticket, holder, change]) => plan(book, ticket, holder, change).book!, EMPTY);
}
