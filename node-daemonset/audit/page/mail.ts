/** The link by which a stranger writes to those who answer for a slice. */
import type { PairRow } from '../../../crds/flows.ts';

/** So much of RFC 5322 as a mailto link carries without doubt; a contact may be anything else, and then is only shown. */
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** A mailto URL (RFC 6068) with what the other side must know; undefined where the contact is no mail address. */
export function mailLink(node: string, row: PairRow): string | undefined {
  const to = row.destination === '' ? '' : ` to ${row.destination}`;
  const subject = `Packets from slice ${row.namespace}/${row.slice} on ${node}${to}`;
  const body = [
    'Hello,',
    '',
    `your slice ${row.namespace}/${row.slice} on the machine ${node} sent ${row.packets} packets (${row.bytes} bytes)${to}`,
    `between ${row.first} and ${row.last}, as the page of that machine shows.`,
    '',
    '',
  ];
  return letter(row.contact, subject, body);
}

/** The same to whoever answers for the node itself. */
export function ownersLink(node: string, contact: string): string | undefined {
  return letter(contact, `Packets from ${node}`, ['Hello,', '', '']);
}

function letter(contact: string, subject: string, body: readonly string[]): string | undefined {
  if (!ADDRESS.test(contact)) return undefined;
  const [local, domain] = splitAt(contact, contact.lastIndexOf('@'));
  const field = (text: string): string => encodeURIComponent(text.replace(/[\r\n]+/g, ' '));
  const lines = body.map(field).join('%0D%0A');
  return `mailto:${encodeURIComponent(local)}@${domain}?subject=${field(subject)}&body=${lines}`;
}

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}
