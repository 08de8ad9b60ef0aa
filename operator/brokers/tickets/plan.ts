/** What becomes of a request by the broker's books. Pure. */
import type { Amounts } from '../../../crds/rspec.ts';
import { type Book, type Entry, shortage, ticketOf } from './books.ts';
import { exceedsAmounts } from './claim.ts';
import { shortKey } from './key.ts';
import { rightName } from './names.ts';
import { Refusal } from './refusal.ts';
import { isRefused, remember, type Sent, withoutStale } from './replays.ts';
import type { Asked } from './request.ts';
import { checkRoom } from './room.ts';

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

/** What is said of a request instead: `book` is to be written before that. */
export interface Declined {
  refusal: Refusal;
  book?: Book;
}

/** As `planRedemption`, but that a request which is refused, and might be good later, is remembered as one that was. */
export function planRequest(input: RedemptionInput): Redemption | Declined {
  try {
    return planRedemption(input);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return decline(input, error);
  }
}

function decline({ book, asked, now }: RedemptionInput, refusal: Refusal): Declined {
  const sent = sentAs(asked);
  const known = book.entries.filter((one) => ticketOf(one) === sent.ticket);
  // nothing can come of it any more
  if (refusal.reason === 'Expired' || known.some(({ state }) => state === 'Handed')) return { refusal };
  const own = known.find(({ nonce }) => nonce === sent.nonce);
  if (own) {
    const given = planDrop(book, own.name);
    return { refusal, ...(given && { book: given }) };
  }
  const { book: next, left } = remember(withoutStale(book, now), [sent], asked.time);
  if (left.size > 0) {
    const message = 'too many requests were refused to remember this one: ask again with the same nonce. As it is, ';
    return { refusal: new Refusal('Busy', `${message}${refusal.reason}: ${refusal.message}`, refusal.details) };
  }
  return { refusal, ...(next !== book && { book: next }) };
}

/** Throws Refusal. The same request is answered again, another one of the same ticket is not. */
export function planRedemption({ book, asked, issuer, revoked, issuers, now }: RedemptionInput): Redemption {
  const { proof, node } = asked;
  const sent = sentAs(asked);
  checkClaim(asked, issuer, revoked, now);
  const known = book.entries.filter((one) => ticketOf(one) === sent.ticket);
  const same = known.find((one) => one.nonce === asked.nonce);
  if (same?.state === 'Dropped' || (!same && isRefused(book, sent))) {
    const message = 'this request was refused, or given up, and stays so: ask with another nonce';
    throw new Refusal('AlreadyRefused', message);
  }
  if (same && same.node !== node) {
    throw new Refusal('AlreadyRedeemed', `the request with this nonce was for ${same.node}: ask for that node again`);
  }
  if (same) return { entry: same };
  const spent = known.find(({ state }) => state !== 'Dropped');
  if (spent) {
    const what = spent.state === 'Handed' ? 'was redeemed' : 'is being redeemed by another request';
    const message = `the ticket ${what}, on ${spent.node}, as right ${spent.name}; a ticket grants once`;
    throw new Refusal('AlreadyRedeemed', message);
  }
  checkSums(asked, issuer, book);
  const entry: Entry = {
    ids: [...proof.ids],
    nonce: asked.nonce,
    holder: proof.holder,
    contact: asked.contact,
    node,
    name: rightName(sent.ticket, asked.nonce, now),
    resources: proof.leaf.resources,
    window: proof.leaf.window,
    state: 'Asked',
    time: now,
  };
  const next = { ...book, entries: [...book.entries, entry] };
  checkRoom({ book: next, proof, issuer, issuers });
  return { entry, book: next };
}

function sentAs({ proof, nonce }: Asked): Sent {
  return { ticket: proof.ids.at(-1)!, nonce };
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
