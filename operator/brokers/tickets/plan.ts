/** What becomes of a request by the broker's books, and what of the books as time passes. Pure. */
import type { Amounts } from '../../../crds/rspec.ts';
import { bytesOf, type Book, endOf, type Entry, MAX_BOOK, shortage, ticketOf } from './books.ts';
import { exceedsAmounts } from './claim.ts';
import { shortKey } from './key.ts';
import { issuerHash, rightName } from './names.ts';
import { Refusal } from './refusal.ts';
import type { Asked } from './request.ts';

/** Whose tickets are redeemed, and for how much. */
export interface Issuer {
  key: string;
  /** For sentences. */
  name: string;
  nodes: readonly string[];
  /** At any one instant on each node. */
  amounts: Amounts;
}

export interface RedemptionInput {
  book: Book;
  asked: Asked;
  issuer: Issuer;
  /** Keys, and ids of links, through which nothing is redeemed. */
  revoked: ReadonlySet<string>;
  /** Whose tickets are redeemed here: a node's room is in equal parts theirs. */
  issuers: number;
  now: number;
}

/** `entry` is new where there is a `book` to be written before anything else is done. */
export interface Redemption {
  entry: Entry;
  book?: Book;
}

/** So long a right may stay unanswered before it is given up, in ms. */
export const PATIENCE_MS = 600_000;
/** So long after its end an entry is kept: no clock may be set back by more, or a ticket would be good again. In ms. */
export const KEPT_MS = 3_600_000;

/** Throws Refusal. The same request is answered again, another one of the same ticket is not. */
export function planRedemption({ book, asked, issuer, revoked, issuers, now }: RedemptionInput): Redemption {
  const { proof, node } = asked;
  checkClaim(asked, issuer, revoked, now);
  const known = book.entries.filter((one) => ticketOf(one) === proof.ids.at(-1));
  const same = known.find((one) => one.nonce === asked.nonce);
  if (same?.state === 'Dropped') {
    throw new Refusal('NotAnswered', 'what this request asked for is being given back: ask with another nonce');
  }
  if (same) return { entry: same };
  const spent = known.find(({ state }) => state !== 'Dropped');
  if (spent) {
    const what = spent.state === 'Handed' ? 'was redeemed' : 'is being redeemed by another request';
    const message = `the ticket ${what}, on ${spent.node}, as right ${spent.name}; a ticket grants once`;
    throw new Refusal('AlreadyRedeemed', message);
  }
  checkCounts(asked, issuer, issuers, book);
  checkSums(asked, issuer, book);
  const entry: Entry = {
    ids: [...proof.ids],
    nonce: asked.nonce,
    holder: proof.holder,
    contact: asked.contact,
    node,
    name: rightName(proof.ids.at(-1)!, asked.nonce, now),
    resources: proof.leaf.resources,
    window: proof.leaf.window,
    state: 'Asked',
    time: now,
  };
  const next = { ...book, entries: [...book.entries, entry] };
  if (bytesOf(next) > MAX_BOOK) {
    const first = Math.min(...book.entries.map(endOf));
    const until = new Date(first + KEPT_MS).toISOString();
    throw new Refusal('BookFull', `${issuer.name} has as many tickets redeemed as are kept; room is there at ${until}`);
  }
  return { entry, book: next };
}

/** Of an issuer's nodes, as many as a refusal names. */
const TOLD_NODES = 10;

/** What can be said without the books. */
function checkClaim({ proof, node }: Asked, issuer: Issuer, revoked: ReadonlySet<string>, now: number): void {
  const refused = [proof.issuer, ...proof.holders, ...proof.ids].find((one) => revoked.has(one));
  if (refused !== undefined) throw new Refusal('Revoked', `nothing is redeemed here that passed through ${refused}`);
  const worth = proof.worths.at(-1)!;
  if (worth.end <= now) throw new Refusal('Expired', `the ticket was good until ${proof.leaf.window.end}`);
  if (worth.node !== undefined && worth.node !== node) {
    throw new Refusal('WrongNode', `the ticket is for ${worth.node}, and ${node} is asked for`);
  }
  if (!issuer.nodes.includes(node)) {
    const more = issuer.nodes.length > TOLD_NODES ? ` and ${issuer.nodes.length - TOLD_NODES} more` : '';
    const others = `${issuer.nodes.slice(0, TOLD_NODES).join(', ')}${more}`;
    throw new Refusal('WrongNode', `${issuer.name} can give nothing on ${node}: ${others}`);
  }
  const why = exceedsAmounts(worth.amounts, issuer.amounts);
  if (why !== undefined) throw new Refusal('OverIssued', `it is more than ${issuer.name} may give, which ${why}`);
}

/** A node looks at no more than 1000 rights of a namespace at a time. */
const MOST_ON_NODE = 900;
/** Entries through a ticket for all that its issuer may give; a book has room for as many of the largest. */
const MOST_THROUGH = 800;
/** And through one for however little. */
const FEWEST_THROUGH = 8;

/**
 * Windows can be cut into seconds, which add up to more than any sum at an instant: so entries are counted as well. Whoever holds
 * a part of what the issuer may give fills that part of the book, and those of one issuer no more than its part of what a node
 * looks at.
 */
function checkCounts({ proof, node }: Asked, issuer: Issuer, issuers: number, { entries }: Book): void {
  const onNode = Math.floor(MOST_ON_NODE / Math.max(1, issuers));
  if (entries.filter((one) => one.node === node).length >= onNode) {
    throw new Refusal('TooMany', `${issuer.name} has ${onNode} tickets redeemed on ${node}, and so many are kept`);
  }
  for (const [at, id] of proof.ids.entries()) {
    const part = issuer.amounts.shares > 0 ? proof.worths[at]!.amounts.shares / issuer.amounts.shares : 0;
    const most = Math.max(FEWEST_THROUGH, Math.floor(MOST_THROUGH * part));
    if (entries.filter((one) => one.ids.includes(id)).length < most) continue;
    const what = `of what ${shortKey(proof.holders[at]!)} was given ${most} tickets are redeemed`;
    throw new Refusal('TooMany', `${what}, as many as are kept for so many shares: redeem larger ones`);
  }
}

/** The issuer first, then each who gave on: none may have given more than he has, to all together, at any instant. */
function checkSums({ proof, node }: Asked, issuer: Issuer, { entries }: Book): void {
  const { amounts: asked, start, end } = proof.worths.at(-1)!;
  const live = entries.filter(({ state }) => state !== 'Dropped');
  const onNode = live.filter((one) => one.node === node);
  const ofIssuer = { asked, start, end, whole: issuer.amounts, whose: `${issuer.name} may give on ${node}` };
  const short = [shortage(ofIssuer, onNode)];
  for (const [at, id] of proof.ids.entries()) {
    const whose = `${shortKey(proof.holders[at]!)} was given`;
    const through = live.filter((one) => one.ids.includes(id));
    short.push(shortage({ asked, start, end, whole: proof.worths[at]!.amounts, whose }, through));
  }
  const first = short.find((one) => one !== undefined);
  if (first) throw new Refusal('OverIssued', first.message, { left: first.left });
}

/** Marks an entry as handed; false where it may not be handed any more. */
export function planHandOver(book: Book, entry: Entry): { book?: Book; ok: boolean } {
  const known = book.entries.find((one) => one.name === entry.name);
  if (known === undefined || known.state === 'Dropped') return { ok: false };
  if (known.state === 'Handed') return { ok: true };
  return { ok: true, book: withState(book, entry.name, 'Handed') };
}

/** Marks an entry as one that will never be handed; undefined where it was, or is gone. */
export function planDrop(book: Book, name: string): Book | undefined {
  const known = book.entries.find((one) => one.name === name);
  return known?.state === 'Asked' ? withState(book, name, 'Dropped') : undefined;
}

function withState(book: Book, name: string, state: Entry['state']): Book {
  return { ...book, entries: book.entries.map((one) => (one.name === name ? { ...one, state } : one)) };
}

/** Entries whose rights are to be deleted, and which are forgotten when those are gone; `book`: to be written before that. */
export function planSweep(book: Book, now: number): { book?: Book; gone: Entry[] } {
  const isStale = (one: Entry): boolean => one.state === 'Asked' && one.time + PATIENCE_MS <= now;
  const entries = book.entries.map((one): Entry => (isStale(one) ? { ...one, state: 'Dropped' } : one));
  const gone = entries.filter((one) => one.state === 'Dropped' || endOf(one) + KEPT_MS <= now);
  return { ...(book.entries.some(isStale) && { book: { ...book, entries } }), gone };
}

/** The book without these; undefined where it has none of them. */
export function planForget(book: Book, names: ReadonlySet<string>): Book | undefined {
  const entries = book.entries.filter(({ name }) => !names.has(name));
  return entries.length < book.entries.length ? { ...book, entries } : undefined;
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
