/** Tickets, and what their holders ask, for tests on real API servers. */
import { randomBytes } from 'node:crypto';
import type { Book } from '../../../operator/brokers/tickets/books.ts';
import { formatSeconds, inFull } from '../../../operator/brokers/tickets/claim.ts';
import type { RedeemOptions } from '../../../operator/brokers/tickets/command/redeem.ts';
import { type KeyPair, pairOf } from '../../../operator/brokers/tickets/key.ts';
import { delegate, issue, type Ticket } from '../../../operator/brokers/tickets/ticket.ts';
import type { TicketCluster } from './cluster.ts';

export const [SITE_EAST, SITE_WEST, BROKER_EAST, BROKER_WEST, ANNA, BEN] = Array.from({ length: 6 }, () =>
  pairOf(randomBytes(32)),
) as [KeyPair, KeyPair, KeyPair, KeyPair, KeyPair, KeyPair];

/** What each site may give of the other's node. */
const WORTH = { cpu: { shares: 300 }, egress: { guarantee: '30M', limit: '50M' } };
const HOUR_MS = 3_600_000;

export const trust = (name: string, { publicKey: key }: KeyPair) => ({ name, key, resources: WORTH });

export const nonce = (): string => randomBytes(16).toString('base64url');

const shares = (count: number) => ({ cpu: { shares: count }, egress: { guarantee: `${count}k`, limit: '10M' } });

/** For an hour, held by Anna. */
export function ticketOf(site: KeyPair, broker: KeyPair, count = 100): Ticket {
  const window = { start: formatSeconds(Date.now() - 1000), end: formatSeconds(Date.now() + HOUR_MS) };
  const [issuer, holder] = [site.publicKey, ANNA.publicKey];
  const claim = { issuer, holder, broker: broker.publicKey, resources: inFull(shares(count)), window, nonce: nonce() };
  return issue(claim, site);
}

/** So much of Anna's for Ben. */
export function give(ticket: Ticket, count: number): Ticket {
  return delegate(ticket, { holder: BEN.publicKey, nonce: nonce(), resources: shares(count) }, ANNA);
}

export function request(ticket: Ticket, key: KeyPair, { nodeName }: TicketCluster, at: string): RedeemOptions {
  return { ticket, key, at, contact: 'ben@example.org', node: nodeName, nonce: nonce(), now: Date.now };
}

export async function bookOf(cluster: TicketCluster, { publicKey }: KeyPair): Promise<Book> {
  const all = (await cluster.books()).map(({ data }) => JSON.parse(data!['book.json']!) as Book);
  return all.find(({ issuer }) => issuer === publicKey) ?? { issuer: publicKey, entries: [] };
}
