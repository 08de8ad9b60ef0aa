/** Keys, tickets and requests for tests: the same each time. */
import { createHash } from 'node:crypto';
import { amounts } from '../../../../crds/rspec.ts';
import type { Rspec } from '../../../../crds/types.ts';
import type { Book } from '../../../../operator/brokers/tickets/books.ts';
import { type Claim, inFull } from '../../../../operator/brokers/tickets/claim.ts';
import { type KeyPair, pairOf } from '../../../../operator/brokers/tickets/key.ts';
import type { Issuer } from '../../../../operator/brokers/tickets/plan.ts';
import { type Reason, Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import { type Asked, readRequest, signRequest } from '../../../../operator/brokers/tickets/request.ts';
import { sealingKey } from '../../../../operator/brokers/tickets/seal.ts';
import { delegate, encode, type Given, issue, type Ticket } from '../../../../operator/brokers/tickets/ticket.ts';

export const NOW = Date.parse('2026-11-01T00:00:00Z');
export const WINDOW = { start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' };
export const WHOLE: Rspec = { cpu: { shares: 100 }, egress: { guarantee: '10M', limit: '20M' }, memory: '1Gi' };

export function keyOf(name: string): KeyPair {
  return pairOf(createHash('sha256').update(name).digest());
}

export function nonceOf(name: string): string {
  return createHash('sha256').update(name).digest().subarray(0, 16).toString('base64url');
}

export const [SITE, BROKER, ANNA, BEN, CARL] = ['site', 'broker', 'anna', 'ben', 'carl'].map(keyOf) as [
  KeyPair,
  KeyPair,
  KeyPair,
  KeyPair,
  KeyPair,
];

export const ISSUER: Issuer = {
  key: SITE.publicKey,
  name: 'site',
  nodes: ['node1', 'node2'],
  amounts: amounts({ cpu: { shares: 300 }, egress: { guarantee: '30M', limit: '50M' }, memory: '4Gi' }),
};

export const EMPTY: Book = { issuer: SITE.publicKey, entries: [] };

let count = 0;

/** A ticket of the site, held by Anna. */
export function ticketFor(change: Partial<Claim> = {}): Ticket {
  const claim: Claim = {
    issuer: SITE.publicKey,
    holder: ANNA.publicKey,
    broker: BROKER.publicKey,
    resources: inFull(WHOLE),
    window: WINDOW,
    nonce: nonceOf(`ticket ${count++}`),
    ...change,
  };
  return issue(claim, SITE);
}

export function shares(count: number): Rspec {
  return { ...WHOLE, cpu: { shares: count }, egress: { guarantee: '100k', limit: '20M' }, memory: '1Mi' };
}

export function give(ticket: Ticket, from: KeyPair, to: KeyPair, change: Partial<Given> = {}): Ticket {
  return delegate(ticket, { holder: to.publicKey, nonce: nonceOf(`ticket ${count++}`), ...change }, from);
}

/** The text of a request that is right but for the change. */
export function requestText(
  ticket: Ticket,
  holder: KeyPair,
  change: Partial<{ node: string; nonce: string; time: number; broker: string; contact: string }> = {},
): string {
  const nonce = change.nonce ?? nonceOf(`request ${count++}`);
  const request = {
    ticket: encode(ticket),
    broker: BROKER.publicKey,
    node: 'node1',
    contact: 'ops@example.org',
    time: NOW / 1000,
    seal: sealingKey(holder, nonce),
    ...change,
    nonce,
  };
  return signRequest(request, holder);
}

export function asked(ticket: Ticket, holder: KeyPair, change: Parameters<typeof requestText>[2] = {}): Asked {
  const issuers = new Set([SITE.publicKey]);
  return readRequest(requestText(ticket, holder, change), { broker: BROKER.publicKey, issuers, now: NOW });
}

/** For assert.throws. */
export function refused(reason: Reason, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.reason === reason && message.test(error.message);
}
