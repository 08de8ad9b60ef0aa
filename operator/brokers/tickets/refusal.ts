/** Why a ticket is not redeemed: a reason for programs, a sentence for people, and what is left where too much was asked. */

/** Every reason that there is, with the HTTP status that goes with it. */
export const REASONS = {
  /** The text is no ticket, or no request: not as it is always written, or a part of it makes no sense. */
  Malformed: 400,
  /** More links, or bytes, than are read. */
  TooLarge: 413,
  /** A signature is not that of whom it is said to be. */
  Forged: 403,
  /** A link gives more than the one before it has. */
  Widened: 403,
  /** The key that signed the first link is not one that this broker redeems for. */
  UnknownIssuer: 403,
  /** The ticket, or the request, is for another broker. */
  WrongBroker: 403,
  /** The request is not signed by the ticket's holder. */
  NotHolder: 403,
  /** A key of the chain is refused here. */
  Revoked: 403,
  /** The window is over. */
  Expired: 410,
  /** The request was signed too long ago, or in the future. */
  Stale: 403,
  /** The ticket, or the issuer, is not for this node. */
  WrongNode: 403,
  /** Somebody gave away more than he had, and the others were faster. */
  OverIssued: 409,
  /** The ticket was redeemed before. */
  AlreadyRedeemed: 409,
  /** This very request was refused before, or given up: whoever heard it must not have it redeemed later. */
  AlreadyRefused: 409,
  /** The node refused; its own reason is in `node`. */
  NodeDenied: 409,
  /** The node, or the operator, has not answered yet: ask again with the same nonce. */
  NotAnswered: 504,
  /** What is redeemed of what one holder was given, or of the issuer on this node, takes as much room as it may. */
  TooMany: 507,
  /** The issuer's book has no room before entries of it end. */
  BookFull: 507,
  /** The issuer's book is gone while rights are there that were in it. */
  BookLost: 503,
  /** Too many ask at once. */
  Busy: 503,
} as const;

export type Reason = keyof typeof REASONS;

/** Of what one link, or issuer, may give, what is not redeemed yet at the tightest instant. */
export interface Left {
  /** 1/1000 of the node */
  shares: number;
  /** bits/s */
  egress: number;
  /** bytes */
  memory: number;
  /** bytes */
  disk: number;
}

/** What goes with a refusal besides its reason and its sentence. */
export interface Details {
  left?: Left;
  /** The reason of the node's own refusal. */
  node?: string;
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: Reason;
  readonly details: Details;

  constructor(reason: Reason, message: string, details: Details = {}) {
    super(message);
    this.reason = reason;
    this.details = details;
  }
}
