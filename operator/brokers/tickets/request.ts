/** What a holder asks and what a broker answers: both signed, so that nothing but public keys is needed between them. */
import { createHash } from 'node:crypto';
import { canonical, type Canonical, readBytes, readFields, readText, underHeading } from './canonical.ts';
import { NONCE_BYTES } from './claim.ts';
import { isSignedBy, type KeyPair, shortKey, SIGNATURE_BYTES, signWith } from './key.ts';
import { type Details, type Reason, Refusal } from './refusal.ts';
import { readSealingKey, type Sealed } from './seal.ts';
import { decode, MAX_TICKET, type Proof, type Ticket, verify } from './ticket.ts';
import type { Rspec } from '../../../crds/types.ts';

export interface Request {
  /** The ticket's text. */
  ticket: string;
  /** The broker's key: a request is good for one broker. */
  broker: string;
  /** The node to redeem it on. */
  node: string;
  /** Who answers for the right until it is taken over. */
  contact: string;
  /** 128 bits in base64url. The same again is the same request; another is another one. */
  nonce: string;
  /** When it was signed, in seconds since the epoch. */
  time: number;
  /** The X25519 key that the value is sealed for, in base64url. */
  seal: string;
}

export interface Redeemed {
  outcome: 'Redeemed';
  /** The ticket's id. */
  ticket: string;
  node: string;
  /** The right in the broker's namespace, for questions: `namespace/name`. */
  right: string;
  resources: Rspec;
  window: { start: string; end: string };
  /** The right's value, for the holder. */
  value: Sealed;
}

export interface Refused extends Details {
  outcome: 'Refused';
  reason: Reason;
  message: string;
}

/** What a broker has to say. */
export type Said = Redeemed | Refused;

/** The same, to one request. */
export type Answer = Said & {
  /** The SHA-256 of the request's text as the broker got it, in base64url: whatever it was, also where it could not be read. */
  request: string;
};

export interface SignedAnswer {
  answer: Answer;
  /** Of the broker. */
  signature: string;
}

/** A request that is proven. */
export interface Asked extends Omit<Request, 'ticket'> {
  proof: Proof;
}

/** Of the whole of a request as JSON. */
export const MAX_REQUEST = MAX_TICKET + 4096;
/** Clocks of two clusters need not agree better than that. */
export const FRESH_SECONDS = 300;
const REQUEST = 'ticket-request';
const ANSWER = 'ticket-answer';
const NODE = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
/** As a right's contact, and printable. */
const CONTACT = /^[^\p{C}]{3,254}$/u;

export function signRequest(request: Request, holder: KeyPair): string {
  const signature = signWith(holder, underHeading(REQUEST, request as unknown as Canonical));
  return JSON.stringify({ ...request, signature });
}

/**
 * The request in a text that somebody sent, with all that it proves but for what is in the books. Cheap questions first: whoever
 * has no ticket of a known issuer makes nobody compute more than one signature. Throws Refusal.
 */
export function readRequest(
  text: string,
  { broker, issuers, now }: { broker: string; issuers: ReadonlySet<string>; now: number },
): Asked {
  const { request, signature } = parseRequest(text);
  if (request.broker !== broker) throw new Refusal('WrongBroker', `this is ${broker}; the request is for another`);
  if (Math.abs(request.time * 1000 - now) > FRESH_SECONDS * 1000) {
    throw new Refusal('Stale', `the request was signed more than ${FRESH_SECONDS} s away from now: look at the clocks`);
  }
  const ticket: Ticket = decode(request.ticket);
  const proof = verify(ticket, issuers);
  if (proof.broker !== broker) {
    throw new Refusal('WrongBroker', `the ticket is redeemed at ${proof.broker}, and this is ${broker}`);
  }
  if (!isSignedBy(proof.holder, underHeading(REQUEST, request as unknown as Canonical), signature)) {
    throw new Refusal('NotHolder', `the request is not signed by ${shortKey(proof.holder)}, who holds the ticket`);
  }
  const { ticket: _, ...rest } = request;
  return { ...rest, proof };
}

function parseRequest(text: string): { request: Request; signature: string } {
  if (text.length > MAX_REQUEST) throw new Refusal('TooLarge', `a request has at most ${MAX_REQUEST} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal('Malformed', 'the request is no JSON');
  }
  const names = ['ticket', 'broker', 'node', 'contact', 'nonce', 'time', 'seal', 'signature'];
  const fields = readFields(value, 'a request', names);
  const { time, nonce, signature } = fields;
  readBytes(nonce, 'nonce', NONCE_BYTES);
  readBytes(signature, 'signature', SIGNATURE_BYTES);
  if (!Number.isSafeInteger(time)) throw new Refusal('Malformed', 'time must be whole seconds');
  const request: Request = {
    ticket: readText(fields['ticket'], 'ticket', /^ticket1\./),
    broker: readText(fields['broker'], 'broker', /^.{1,100}$/),
    node: readText(fields['node'], 'node', NODE),
    contact: readText(fields['contact'], 'contact', CONTACT),
    nonce: nonce as string,
    time: time as number,
    seal: readSealingKey(fields['seal']),
  };
  return { request, signature: signature as string };
}

export function refusedAs({ reason, message, details }: Refusal): Refused {
  return { outcome: 'Refused', reason, message, ...details };
}

/** `request` is the whole text that is answered: anybody may send another one with the same nonce. */
export function signAnswer(said: Said, request: string, broker: KeyPair): SignedAnswer {
  const answer: Answer = { ...said, request: hashOf(request) };
  return { answer, signature: signWith(broker, underHeading(ANSWER, answer as unknown as Canonical)) };
}

function hashOf(request: string): string {
  return createHash('sha256').update(request).digest('base64url');
}

/** The answer of this very broker to this very request, whose text is given. Throws Refusal where it is any other. */
export function readAnswer(text: string, { broker, request }: { broker: string; request: string }): Answer {
  let value: { answer?: Answer; signature?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
    canonical(value.answer as unknown as Canonical);
  } catch {
    throw new Refusal('Malformed', 'the answer is none of a broker');
  }
  readBytes(value.signature, 'signature', SIGNATURE_BYTES);
  const bytes = underHeading(ANSWER, value.answer as unknown as Canonical);
  if (!isSignedBy(broker, bytes, value.signature as string)) {
    throw new Refusal('Forged', `the answer is not signed by ${shortKey(broker)}, at whom the ticket is redeemed`);
  }
  if (value.answer!.request !== hashOf(request)) {
    throw new Refusal(
      'Forged',
      'the answer is one to another request: who carries the packets sent another, or changed this one',
    );
  }
  return value.answer!;
}
