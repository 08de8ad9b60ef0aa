/**
 * Requests that were refused. Whoever carried one can send it again for as long as it is fresh, and by then there may be room: so
 * each is remembered until it is stale, and refused for good. Pure.
 */
import type { Book } from './books.ts';
import { digest } from './canonical.ts';
import { FRESH_SECONDS } from './request.ts';

/** Of a ticket with this id. */
export interface Sent {
  ticket: string;
  nonce: string;
}

/** In characters of base64url: 96 bits. */
const KEY_LENGTH = 16;
/**
 * Of one issuer: what holders of his tickets can ask in a quarter of an hour (turns.ts), which is how long one that is signed by a clock
 * ahead is remembered. The book has room for them in its 1 MiB.
 */
export const MOST_REFUSED = 4500;
/** So long after it was signed, in s: the clocks of two brokers of one namespace may differ by the half of it. */
const REMEMBERED_SECONDS = 2 * FRESH_SECONDS;

export function isRefused({ refused = {} }: Book, sent: Sent): boolean {
  return Object.hasOwn(refused, keyOf(sent));
}

/** When a request that was taken until now, in ms, was signed at the latest, in s. */
export function latestSigned(now: number): number {
  return Math.ceil(now / 1000) + FRESH_SECONDS;
}

/** The book that remembers these, signed at this time at the latest, in s; `left`: those for which it has no room. */
export function remember<T extends Sent>(
  book: Book,
  requests: readonly T[],
  signed: number,
): { book: Book; left: ReadonlySet<T> } {
  const refused = new Map(Object.entries(book.refused ?? {}));
  const left = new Set<T>();
  const until = signed + REMEMBERED_SECONDS;
  let isChanged = false;
  for (const one of requests) {
    const key = keyOf(one);
    const before = refused.get(key);
    if (before !== undefined && before >= until) continue;
    if (before === undefined && refused.size >= MOST_REFUSED) left.add(one);
    else {
      refused.set(key, until);
      isChanged = true;
    }
  }
  return { book: isChanged ? { ...book, refused: Object.fromEntries(refused) } : book, left };
}

/** The book without those that are stale by now, in ms; the same one where there are none. */
export function withoutStale(book: Book, now: number): Book {
  const all = Object.entries(book.refused ?? {});
  const live = all.filter(([, until]) => until * 1000 > now);
  return live.length < all.length ? { ...book, refused: Object.fromEntries(live) } : book;
}

function keyOf({ ticket, nonce }: Sent): string {
  return digest('ticket-refused', [ticket, nonce]).slice(0, KEY_LENGTH);
}
