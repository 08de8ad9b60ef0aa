/** The names of what a broker of tickets makes in its namespace. */
import { GROUP, shortHash } from '../../../crds/names.ts';

/** The field manager of all that it writes. */
export const MANAGER = 'slice-tickets';
/** On books `book`, on rights the hash of the issuer whose book they are in. */
export const LABEL_TICKETS = `${GROUP}/tickets`;
export const BOOK = 'book';
/** On rights: the id of their ticket. */
export const ANNOTATION_TICKET = `${GROUP}/ticket`;

export function issuerHash(issuer: string): string {
  return shortHash([issuer], 16);
}

export function bookName(issuer: string): string {
  return `tickets-${issuerHash(issuer)}`;
}

/** Of one attempt: a right that is being deleted never stands in the way of the next one. */
export function rightName(ticket: string, nonce: string, time: number): string {
  return `ticket-${shortHash([ticket, nonce, String(time)], 20)}`;
}
