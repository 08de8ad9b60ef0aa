/** What a question found: who sent it, and every flow. */
import type { FlowQuery } from '../../../crds/flowquery.ts';
import {
  flagNames,
  type FlowAnswer,
  type FlowRow,
  type PairAnswer,
  type PairRow,
  protocolName,
} from '../../../crds/flows.ts';
import { formatPrefix } from '../../../crds/ipaddress.ts';
import {
  caveats,
  type Column,
  contact,
  count,
  destinationPath,
  documentOf,
  ownersContact,
  size,
  slicePath,
  tableOf,
  time,
} from './document.ts';
import type { PageSettings } from '../server.ts';
import { formOf, valuesOf } from './form.ts';
import { type Html, html } from './html.ts';
import { mailLink } from './mail.ts';

/** More are in the CSV. */
const SHOWN = 250;

/** `again`: the address of the same in another format, but for its ending. */
export function resultsPage(
  { contact: owner }: Pick<PageSettings, 'contact'>,
  query: FlowQuery,
  pairs: PairAnswer,
  flows: FlowAnswer,
  again: (format: string) => string,
): string {
  const { node } = pairs;
  const title = titleOf(query, node);
  const senders = pairs.pairs.filter(({ kind }) => kind === 'Flow');
  const rest = pairs.pairs.filter(({ kind }) => kind !== 'Flow');
  const told = flows.flows.filter(({ kind }) => kind === 'Flow').slice(0, SHOWN);
  const body = html`<h1>${title}</h1>
    <p class="dim">From ${time(pairs.from)} to ${time(pairs.to)}.</p>
    ${
      senders.length === 0
        ? html`<p>No slice is known to have sent anything that fits.</p>`
        : html`<h2>Who</h2>
            ${tableOf(senderColumns(node, query), senders.slice(0, SHOWN), `${count(senders.length)} pairs of slice and destination`)}`
    }
    ${
      rest.length === 0
        ? undefined
        : html`<h2>What else was sent in that time</h2>
            <p class="dim">Nobody noted whereto: it may or may not have been to you.</p>
            ${tableOf(restColumns(node, owner), rest.slice(0, SHOWN), 'Sent beyond the flows that are told apart, or by no slice')}`
    }
    ${
      told.length === 0
        ? undefined
        : html`<h2>Flows</h2>
            ${tableOf(FLOWS, told, `${count(told.length)} flows, the latest first`)}
            <p class="dim">All of them: <a href="${again('csv')}">CSV</a>, <a href="${again('json')}">JSON</a>.</p>`
    }
    ${caveats(pairs)}
    <h2>Ask something else</h2>
    ${formOf(valuesOf(query))}`;
  return documentOf(title, node, body, owner);
}

function titleOf({ destination, namespace, slice }: FlowQuery, node: string): string {
  const what = slice === undefined ? node : `${namespace === undefined ? '' : `${namespace}/`}${slice} on ${node}`;
  return `What ${what} sent${destination ? ` to ${formatPrefix(destination)}` : ''}`;
}

function senderColumns(node: string, query: FlowQuery): Column<PairRow>[] {
  const destination: Column<PairRow> = [
    'Destination',
    't',
    (row) => html`<a href="${destinationPath(row.destination)}">${row.destination}</a>`,
  ];
  return [
    ['Slice', 'w', sliceLink],
    ['Contact', 'w', (row) => contact(row.contact, mailLink(node, row))],
    ...(query.destination?.bits === 128 ? [] : [destination]),
    ...COUNTS,
    ['First', 't', ({ first }) => time(first)],
    ['Last', 't', ({ last }) => time(last)],
  ];
}

const COUNTS: readonly Column<PairRow>[] = [
  ['Packets', 'n', ({ packets }) => count(packets)],
  ['Bytes', 'n', ({ bytes }) => size(bytes)],
];

function restColumns(node: string, owner: string): Column<PairRow>[] {
  const isOwners = ({ kind }: PairRow): boolean => kind === 'Unattributed';
  return [
    ['Who', 'w', (row) => (isOwners(row) ? 'The machine itself' : sliceLink(row))],
    ['Contact', 'w', (row) => (isOwners(row) ? ownersContact(node, owner) : contact(row.contact, mailLink(node, row)))],
    ...COUNTS,
  ];
}

const FLOWS: readonly Column<FlowRow>[] = [
  ['Last', 't', ({ last }) => time(last)],
  ['Slice', 'w', ({ namespace, slice }) => `${namespace}/${slice}`],
  ['Protocol', '', ({ protocol }) => protocolName(protocol)],
  ['From', 't', ({ source, sourcePort, protocol }) => endpoint(source, protocol, sourcePort)],
  ['To', 't', ({ destination, destinationPort, protocol }) => endpoint(destination, protocol, destinationPort)],
  ['Details', '', details],
  ...(COUNTS as unknown as readonly Column<FlowRow>[]),
];

function sliceLink({ namespace, slice }: PairRow): Html | string {
  return slice === ''
    ? '(not known any more)'
    : html`<a href="${slicePath(namespace, slice)}">${namespace}/${slice}</a>`;
}

const isIcmp = (protocol: number): boolean => protocol === 1 || protocol === 58;

function endpoint(address: string, protocol: number, port: number): string {
  if (isIcmp(protocol)) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** TCP's flags; of ICMP its type and code, which stand where others have a port, and the identifier of an echo. */
function details({ protocol, sourcePort, destinationPort, tcpFlags }: FlowRow): string {
  if (!isIcmp(protocol)) return flagNames(tcpFlags);
  const [type, code] = [destinationPort >> 8, destinationPort & 255];
  return `type ${type}${code > 0 ? ` code ${code}` : ''}${sourcePort > 0 ? `, id ${sourcePort}` : ''}`;
}
