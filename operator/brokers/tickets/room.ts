/**
 * How much of an issuer's book, and of his places on a node, one holder may fill. Windows can be cut into seconds, which add up to more
 * than any sum at an instant, and entries can be written large: so the book is weighed. Pure.
 */
import { type Book, bytesOf, endOf, type Entry, KEPT_MS, MAX_BOOK } from './books.ts';
import { shortKey } from './key.ts';
import type { Issuer } from './plan.ts';
import { Refusal } from './refusal.ts';
import type { Proof } from './ticket.ts';

/** A node looks at no more than 1000 rights of a namespace at a time. */
export const MOST_ON_NODE = 900;
/** Of the part that a link is of all that its issuer may give, that much is to be filled through it: so that others always find some. */
const OF_PART = 0.9;
/** And through a link for however little that much of the whole; no entry is larger than that of a book. */
const LEAST_PART = 0.01;

export interface RoomInput {
  /** With the new entry as its last one. */
  book: Book;
  proof: Proof;
  issuer: Issuer;
  /** Whose tickets are redeemed here: a node's room is in equal parts theirs. */
  issuers: number;
}

/** Throws Refusal where the new entry has no room. */
export function checkRoom({ book, proof, issuer, issuers }: RoomInput): void {
  const { entries } = book;
  const { node } = entries.at(-1)!;
  const sizes = new Map(entries.map((one) => [one, bytesOf(one)]));
  const sizeOf = (some: readonly Entry[]): number => some.reduce((sum, one) => sum + sizes.get(one)!, 0);
  const onNode = entries.filter((one) => one.node === node);
  const places = Math.floor(MOST_ON_NODE / Math.max(1, issuers));
  if (onNode.length > places) {
    throw new Refusal('TooMany', `${issuer.name} has ${places} tickets redeemed on ${node}, and so many are kept`);
  }
  for (const [at, id] of proof.ids.entries()) {
    const { shares } = proof.worths[at]!.amounts;
    const whose = `of what ${shortKey(proof.holders[at]!)} was given`;
    const isThrough = (one: Entry): boolean => one.ids.includes(id);
    const most = Math.max(1, Math.floor(places * partOf(shares, issuer.amounts.shares)));
    if (onNode.filter(isThrough).length > most) {
      const message = `${whose} ${most} tickets are redeemed on ${node}, as many as are kept there for so many shares`;
      throw new Refusal('TooMany', `${message}: redeem larger ones`);
    }
    const bytes = Math.floor(MAX_BOOK * partOf(shares, issuer.amounts.shares * issuer.nodes.length));
    if (sizeOf(entries.filter(isThrough)) > bytes) {
      const filled = `what is redeemed ${whose} would fill more than the ${bytes} bytes of ${issuer.name}'s book`;
      const message = `${filled} that are for so many shares`;
      throw new Refusal('TooMany', `${message}: redeem fewer, larger ones`);
    }
  }
  if (sizeOf(entries) <= MAX_BOOK) return;
  const until = new Date(Math.min(...entries.slice(0, -1).map(endOf)) + KEPT_MS).toISOString();
  throw new Refusal('BookFull', `${issuer.name} has as many tickets redeemed as are kept; room is there at ${until}`);
}

function partOf(shares: number, whole: number): number {
  return Math.max(LEAST_PART, OF_PART * Math.min(1, shares / Math.max(1, whole)));
}
