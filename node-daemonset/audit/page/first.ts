/** The first page: what this machine is, who sent how much in the last hour, and where to look for oneself. */
import type { PairAnswer, PairRow } from '../../../crds/flows.ts';
import type { PageSettings } from '../server.ts';
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
import { type Html, html } from './html.ts';
import { mailLink } from './mail.ts';

const SHOWN = 100;

interface Sum {
  row: PairRow;
  /** Of a slice its destinations, of a destination its slices. */
  others: Set<string>;
  packets: number;
  bytes: number;
  last: string;
}

/** `visitor`: the address that asks, which is likely the one that was sent something. */
export function firstPage(settings: PageSettings, answer: PairAnswer, visitor: string | undefined): string {
  const { node } = settings;
  const told = answer.pairs.filter(({ kind }) => kind === 'Flow');
  const sent = answer.pairs.filter(({ kind }) => kind !== 'Unattributed');
  const slices = sumsBy(sent, sliceOf, ({ destination }) => destination);
  const destinations = sumsBy(told, ({ destination }) => destination, sliceOf);
  const untold = answer.pairs.filter(({ kind }) => kind === 'Overflow').reduce((sum, { bytes }) => sum + bytes, 0);
  const body = html`<h1>What ${node} sent</h1>
    ${lead(settings)} ${lookUp(visitor)}
    <h2>The last hour by slice</h2>
    ${slices.length === 0 ? html`<p>No slice sent anything.</p>` : tableOf(sliceColumns(node), slices.slice(0, SHOWN), more(slices, 'slices'))}
    ${untold > 0 ? html`<p class="dim">${size(untold)} of it went to more destinations than are told apart, and are in no row below.</p>` : undefined}
    <h2>The last hour by destination</h2>
    ${destinations.length === 0 ? html`<p>There was none.</p>` : tableOf(DESTINATIONS, destinations.slice(0, SHOWN), more(destinations, 'destinations'))}
    <p class="dim">
      The same: <a href="/index.csv">CSV</a>, <a href="/index.json">JSON</a>, every packet’s flow:
      <a href="/flows.csv">CSV</a>, <a href="/flows.json">JSON</a>.
    </p>
    ${caveats(answer)}`;
  return documentOf(`What ${node} sent`, node, body);
}

function lead({ node, contact: owner, description }: PageSettings): Html {
  return html`<p>
      <strong>${node}</strong> is a machine on which several services, called slices, share one network. If you found
      its address in a log, one of them sent you packets. Here you see which it was, and whom to write to: those who
      answer for that slice. They know what it does, and can stop it.
    </p>
    ${description === '' ? undefined : html`<p>${description}</p>`}
    ${owner === '' ? undefined : html`<p>Whoever answers for the machine itself: ${ownersContact(node, owner)}.</p>`}`;
}

function lookUp(visitor: string | undefined): Html {
  return html`<form action="/flows" method="get">
      <label class="wide"
        >An address or prefix of yours<input
          name="destination"
          placeholder="192.0.2.7 or 192.0.2.0/24"
          maxlength="64"
          autocomplete="off"
          required
      /></label>
      <button>Show what was sent to it</button>
    </form>
    ${visitor === undefined ? undefined : html`<p>You come from ${visitor}: <a href="${destinationPath(visitor)}">what was sent to it</a>.</p>`}`;
}

function sliceColumns(node: string): Column<Sum>[] {
  return [
    ['Slice', 'w', ({ row }) => html`<a href="${slicePath(row.namespace, row.slice)}">${sliceOf(row)}</a>`],
    [
      'Contact',
      'w',
      ({ row, packets, bytes }) => contact(row.contact, mailLink(node, { ...row, destination: '', packets, bytes })),
    ],
    ['Destinations', 'n', ({ others }) => count(others.size)],
    ['Packets', 'n', ({ packets }) => count(packets)],
    ['Bytes', 'n', ({ bytes }) => size(bytes)],
    ['Last', 't', ({ last }) => time(last)],
  ];
}

const DESTINATIONS: readonly Column<Sum>[] = [
  ['Destination', 't', ({ row }) => html`<a href="${destinationPath(row.destination)}">${row.destination}</a>`],
  [
    'Slices',
    '',
    ({ others }) => [...others].slice(0, 3).join(', ') + (others.size > 3 ? ` and ${others.size - 3} more` : ''),
  ],
  ['Packets', 'n', ({ packets }) => count(packets)],
  ['Bytes', 'n', ({ bytes }) => size(bytes)],
  ['Last', 't', ({ last }) => time(last)],
];

function sliceOf({ namespace, slice }: PairRow): string {
  return slice === '' ? '(not known any more)' : `${namespace}/${slice}`;
}

/** The most bytes first. */
function sumsBy(rows: readonly PairRow[], key: (row: PairRow) => string, other: (row: PairRow) => string): Sum[] {
  const sums = new Map<string, Sum>();
  for (const row of rows) {
    const name = key(row);
    const sum = sums.get(name) ?? { row, others: new Set<string>(), packets: 0, bytes: 0, last: row.last };
    sums.set(name, sum);
    if (row.destination !== '') sum.others.add(other(row));
    sum.packets += row.packets;
    sum.bytes += row.bytes;
    if (row.last > sum.last) sum.last = row.last;
  }
  return [...sums.values()].toSorted((a, b) => b.bytes - a.bytes);
}

function more(all: readonly unknown[], what: string): string {
  return all.length > SHOWN
    ? `${SHOWN} of ${count(all.length)} ${what}, the most bytes first`
    : `${count(all.length)} ${what}`;
}
