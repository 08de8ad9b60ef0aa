/** What all pages have around them, and how they write sizes, times and tables. */
import { formatBytes } from '../../../crds/quantity.ts';
import type { FlowAnswer, PairAnswer } from '../../../crds/flows.ts';
import { Html, html } from './html.ts';
import { ownersLink } from './mail.ts';
import { STYLE } from './style.ts';

/** To the letter: the security policy names its hash. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** A whole document. `title` goes to the window and to search results, `body` to people. `owner`: who answers for the node. */
export function documentOf(title: string, node: string, body: Html, owner = ''): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <nav><a href="/">${node}</a> <a href="/flows">Look further back</a></nav>
        <main>${body}</main>
        <footer>
          Times are UTC. Sizes are those of Ethernet frames on the wire. Addresses of the same data for programs end in
          .json or .csv.
          ${owner === '' ? undefined : html`Whoever answers for the machine itself: ${ownersContact(node, owner)}.`}
        </footer>
      </body>
    </html> `.text;
}

/** One column: its heading, its kind (`n`umber, one line of `t`ext, `w`ords that may break), and what is in its cells. */
export type Column<T> = readonly [
  heading: string,
  kind: '' | 'n' | 't' | 'w',
  cell: (row: T) => Html | string | number,
];

/** A table that is a list of cards on a narrow screen, each cell with its heading beside it. */
export function tableOf<T>(columns: readonly Column<T>[], rows: readonly T[], caption: string): Html {
  return html`<table>
    <caption>
      ${caption}
    </caption>
    <thead>
      <tr>
        ${columns.map(([heading, kind]) => html`<th scope="col" class="${kind}">${heading}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr>
            ${columns.map(([heading, kind, cell]) => html`<td class="${kind}" data-label="${heading}">${cell(row)}</td>`)}
          </tr> `,
      )}
    </tbody>
  </table>`;
}

/** `1 234 567`, with spaces that do not break. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export function size(bytes: number): string {
  const [value = '', unit = ''] = formatBytes(bytes).split(' ');
  return `${unit === 'B' ? value : Number(value).toFixed(1)}\u00a0${unit}`;
}

/** `2026-11-23 12:00:05` of an RFC 3339 time. */
export function time(text: string): Html {
  return html`<time datetime="${text}">${text.slice(0, 19).replace('T', ' ')}</time>`;
}

/** A mail address as a link, anything else as what it is. */
export function contact(text: string, link: string | undefined): Html | string {
  if (text === '') return '–';
  return link === undefined ? text : html`<a href="${link}">${text}</a>`;
}

/** The contact of whoever answers for the node itself. */
export function ownersContact(node: string, owner: string): Html | string {
  return contact(owner, ownersLink(node, owner));
}

/** What an answer does not have, in words. */
export function caveats({ truncated, notes, since, from }: FlowAnswer | PairAnswer): Html {
  const lines = [...notes];
  if (truncated === 'Rows') lines.push('There is more than is shown: narrow the question, or ask for more rows.');
  if (truncated === 'Time') lines.push('Not everything could be read in the time there is: narrow the question.');
  if (since === undefined) lines.push('Nothing has been recorded here yet.');
  else if (since > from)
    lines.push(`This machine remembers nothing from before ${since.slice(0, 19).replace('T', ' ')}.`);
  return html`${lines.map((line) => html`<p class="warn">${line}</p>`)}`;
}

/** Paths are made of what others wrote. */
export function destinationPath(destination: string): string {
  return `/destination/${destination.split('/').map(encodeURIComponent).join('/').replaceAll('%3A', ':')}`;
}

export function slicePath(namespace: string, slice: string): string {
  return `/slice/${encodeURIComponent(namespace)}/${encodeURIComponent(slice)}`;
}
