/** What becomes of a broker's books as time passes, and what they tell of rights. Pure. */
import { type Book, endOf, type Entry, KEPT_MS, ticketOf } from './books.ts';
import { issuerHash } from './names.ts';
import { latestSigned, remember, withoutStale } from './replays.ts';

/** So long a right may stay unanswered before it is given up, in ms. */
export const PATIENCE_MS = 600_000;

/** Entries whose rights are to be deleted, and which are forgotten when those are gone; `book`: to be written before that. */
export function planSweep(book: Book, now: number): { book?: Book; gone: Entry[] } {
  const isStale = (one: Entry): boolean => one.state === 'Asked' && one.time + PATIENCE_MS <= now;
  const entries = book.entries.map((one): Entry => (isStale(one) ? { ...one, state: 'Dropped' } : one));
  const gone = entries.filter((one) => one.state === 'Dropped' || endOf(one) + KEPT_MS <= now);
  const live = withoutStale(book, now);
  const isChanged = live !== book || book.entries.some(isStale);
  return { ...(isChanged && { book: { ...live, entries } }), gone };
}

/**
 * The book without these; undefined where it has none of them. Of those that were dropped the requests are remembered as refused, and
 * what can't be remembered yet stays.
 */
export function planForget(book: Book, names: ReadonlySet<string>, now: number): Book | undefined {
  const gone = book.entries.filter(({ name }) => names.has(name));
  const dropped = gone.filter((one) => one.state === 'Dropped' && endOf(one) > now);
  const requests = dropped.map((entry) => ({ ticket: ticketOf(entry), nonce: entry.nonce, name: entry.name }));
  const { book: next, left } = remember(withoutStale(book, now), requests, latestSigned(now));
  const staying = new Set([...left].map(({ name }) => name));
  const entries = book.entries.filter(({ name }) => !names.has(name) || staying.has(name));
  return entries.length < book.entries.length ? { ...next, entries } : undefined;
}

/** A right of a ticket as it is found. */
export interface Found {
  name: string;
  /** The hash of the issuer in whose book it should be. */
  issuer: string;
  created: number;
  /** Whether its node says that whoever showed its value took it over. */
  isTaken: boolean;
}

/**
 * Of rights that others took over, those that go: each counts against the broker at its node, and the book knows its ticket. Of
 * each issuer the one that ends last stays, and tells that there was a book.
 */
export function planTaken(rights: readonly Found[], books: readonly Book[]): string[] {
  const known = new Map(rights.map((right) => [right.name, right]));
  return books.flatMap(({ entries }) => {
    const [, ...others] = entries
      .filter((one) => one.state === 'Handed' && known.has(one.name))
      .toSorted((a, b) => endOf(b) - endOf(a) || (a.name < b.name ? -1 : 1));
    return others.map(({ name }) => name).filter((name) => known.get(name)!.isTaken);
  });
}

/**
 * Of rights of tickets, those that are not in their book, and so were never handed to anybody. Where the book itself is gone nothing
 * is known of them, and they stay: they are what tells that there was one.
 */
export function planOrphans(rights: readonly Found[], books: readonly Book[], now: number): string[] {
  const known = new Set(books.flatMap(({ entries }) => entries.map(({ name }) => name)));
  const hashes = new Set(books.map(({ issuer }) => issuerHash(issuer)));
  // of a younger one the book may tell in a moment
  const isOrphan = ({ name, issuer, created }: Found): boolean =>
    hashes.has(issuer) && !known.has(name) && created + PATIENCE_MS <= now;
  return rights.filter(isOrphan).map(({ name }) => name);
}
