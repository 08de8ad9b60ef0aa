/**
 * Tickets, as in SHARP (Fu et al., SOSP 2003): a chain of claims, each signed by the holder of the one before it. Everybody can
 * check one without asking anybody; what none can see in it is whether its giver gave the same to somebody else as well.
 */
import { canonical, type Canonical, digest, readBytes, underHeading } from './canonical.ts';
import { type Claim, exceeds, inFull, readClaim, type Worth, worthOf } from './claim.ts';
import { isSignedBy, type KeyPair, shortKey, SIGNATURE_BYTES, signWith } from './key.ts';
import { Refusal } from './refusal.ts';

export interface Link {
  claim: Claim;
  /** Of the claim's issuer, in base64url. */
  signature: string;
}

/** The first link is the issuer's, the last one says who holds the ticket. */
export type Ticket = readonly Link[];

/** What a chain proves. */
export interface Proof {
  /** The key that signed the first link. */
  issuer: string;
  /** The key of the broker where it is redeemed. */
  broker: string;
  holder: string;
  /** Of each link, in order; the last is the ticket's own. */
  ids: readonly string[];
  worths: readonly Worth[];
  /** Whose each link is: who can give of it. */
  holders: readonly string[];
  leaf: Claim;
}

export const MAX_LINKS = 8;
/** Of the text of a ticket. */
export const MAX_TICKET = 48 * 1024;
const PREFIX = 'ticket1.';
const HEADING = 'ticket';

export function idOf(claim: Claim): string {
  return digest(HEADING, claim as unknown as Canonical);
}

/** The first link of a new ticket. Throws Refusal where the claim makes no sense or the key is not its issuer's. */
export function issue(claim: Claim, key: KeyPair): Ticket {
  const ticket = [signed({ ...claim, resources: inFull(claim.resources) }, key)];
  verify(ticket);
  return ticket;
}

/** What is given on; what is left out is as in the ticket. */
export type Given = Pick<Claim, 'holder' | 'nonce'> & Partial<Pick<Claim, 'resources' | 'window' | 'node'>>;

/** The ticket for somebody else, or for less. Throws Refusal where it would be more than there is, or the key is not the holder's. */
export function delegate(ticket: Ticket, given: Given, key: KeyPair): Ticket {
  const { leaf, ids } = verify(ticket);
  const node = given.node ?? leaf.node;
  const claim: Claim = {
    issuer: leaf.holder,
    holder: given.holder,
    parent: ids.at(-1)!,
    ...(node !== undefined && { node }),
    resources: inFull(given.resources ?? leaf.resources),
    window: given.window ?? leaf.window,
    nonce: given.nonce,
  };
  const longer = [...ticket, signed(claim, key)];
  verify(longer);
  return longer;
}

function signed(claim: Claim, key: KeyPair): Link {
  const read = readClaim(claim);
  if (read.issuer !== key.publicKey) {
    throw new Refusal('NotHolder', `${shortKey(key.publicKey)} can't sign for ${shortKey(read.issuer)}, who has it`);
  }
  return { claim: read, signature: signWith(key, underHeading(HEADING, read as unknown as Canonical)) };
}

/** What the chain proves, whatever the time. Throws Refusal. Costs a signature a link, the first one first. */
export function verify(ticket: Ticket, issuers?: ReadonlySet<string>): Proof {
  if (ticket.length === 0) throw new Refusal('Malformed', 'a ticket has at least one link');
  if (ticket.length > MAX_LINKS) throw new Refusal('TooLarge', `a ticket has at most ${MAX_LINKS} links`);
  const ids: string[] = [];
  const worths: Worth[] = [];
  for (const [at, { claim, signature }] of ticket.entries()) {
    const place = `link ${at + 1} of ${ticket.length}`;
    const before = ticket[at - 1]?.claim;
    if (before === undefined && issuers && !issuers.has(claim.issuer)) {
      throw new Refusal('UnknownIssuer', `${claim.issuer} is not one of those whose tickets are redeemed here`);
    }
    if ((before === undefined) !== (claim.broker !== undefined)) {
      throw new Refusal('Malformed', `${place}: the first link names a broker, and only that`);
    }
    if (before && (claim.parent !== ids.at(-1) || claim.issuer !== before.holder)) {
      throw new Refusal('Forged', `${place} does not follow from the one before`);
    }
    if (!isSignedBy(claim.issuer, underHeading(HEADING, claim as unknown as Canonical), signature)) {
      throw new Refusal('Forged', `${place} is not signed by ${shortKey(claim.issuer)}, in whose name it is`);
    }
    const worth = worthOf(claim);
    const whole = worths.at(-1);
    const why = whole && exceeds(worth, whole);
    if (why !== undefined) throw new Refusal('Widened', `${place} is more than the one before, which ${why}`);
    ids.push(idOf(claim));
    worths.push(worth);
  }
  const [first, last] = [ticket[0]!.claim, ticket.at(-1)!.claim];
  const holders = ticket.map(({ claim }) => claim.holder);
  return { issuer: first.issuer, broker: first.broker!, holder: last.holder, ids, worths, holders, leaf: last };
}

/** The one text of a ticket. */
export function encode(ticket: Ticket): string {
  const text = canonical(ticket.map(({ claim, signature }) => [claim as unknown as Canonical, signature]));
  return `${PREFIX}${Buffer.from(text).toString('base64url')}`;
}

/** The ticket in a text that somebody else wrote. Throws Refusal; signatures are for `verify`. */
export function decode(text: string): Ticket {
  if (text.length > MAX_TICKET) throw new Refusal('TooLarge', `a ticket has at most ${MAX_TICKET} characters`);
  if (!text.startsWith(PREFIX)) throw new Refusal('Malformed', `a ticket begins with ${PREFIX}`);
  let links: unknown;
  try {
    links = JSON.parse(Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8'));
  } catch {
    links = undefined;
  }
  if (!Array.isArray(links)) throw new Refusal('Malformed', 'it begins like a ticket, and goes on like none');
  if (links.length > MAX_LINKS) throw new Refusal('TooLarge', `a ticket has at most ${MAX_LINKS} links`);
  const ticket = links.map((link: unknown): Link => {
    if (!Array.isArray(link) || link.length !== 2) throw new Refusal('Malformed', 'a link is a claim and a signature');
    const [claim, signature] = link as unknown[];
    readBytes(signature, 'a signature', SIGNATURE_BYTES);
    return { claim: readClaim(claim), signature: signature as string };
  });
  if (encode(ticket) !== text) throw new Refusal('Malformed', 'the ticket is not written as tickets are');
  return ticket;
}
