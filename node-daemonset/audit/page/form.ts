/** The form by which anything is asked for, with what was asked last. */
import { type FlowQuery, formatTime, PARAMETERS } from '../../../crds/flowquery.ts';
import { protocolName } from '../../../crds/flows.ts';
import { formatPrefix } from '../../../crds/ipaddress.ts';
import { type Html, html } from './html.ts';

type Values = Readonly<Partial<Record<(typeof PARAMETERS)[number], string>>>;

/** What a visitor may type into one field. */
const MAX_VALUE = 300;

export function valuesOf({ destination, namespace, slice, protocol, port, from, to }: FlowQuery): Values {
  return {
    ...(destination && { destination: formatPrefix(destination) }),
    ...(slice !== undefined && { slice: [namespace, slice].filter(Boolean).join('/') }),
    ...(protocol !== undefined && { protocol: protocolName(protocol) }),
    ...(port !== undefined && { port: String(port) }),
    from: formatTime(from).slice(0, 16),
    to: formatTime(to + 59_999).slice(0, 16),
  };
}

/** What an address asks for, understood or not. */
export function valuesIn(url: string): Values {
  const [path = '', search = ''] = url.split('?', 2);
  const given = new URLSearchParams(search);
  const values: Partial<Record<string, string>> = {};
  for (const name of PARAMETERS) {
    const value = given.get(name);
    if (value !== null) values[name] = value.slice(0, MAX_VALUE);
  }
  const [, name, rest] = /^\/(destination|slice)\/(.+?)(?:\.(?:html|json|csv))?$/.exec(path) ?? [];
  if (name !== undefined)
    values[name] = new URLSearchParams(`a=${rest!.replaceAll('+', '%2B')}`).get('a')!.slice(0, MAX_VALUE);
  return values;
}

export function formOf(values: Values): Html {
  const field = (name: keyof Values, label: string, rest?: Html): Html =>
    html`<label
      >${label}<input name="${name}" value="${values[name] ?? ''}" maxlength="${MAX_VALUE}" autocomplete="off" ${rest}
    /></label> `;
  const minutes = html` type="datetime-local"`;
  return html`<form action="/flows" method="get">
    ${field('destination', 'Destination, or prefix')} ${field('slice', 'Slice')} ${field('protocol', 'Protocol')}
    ${field('port', 'Destination port', html` inputmode="numeric"`)} ${field('from', 'From (UTC)', minutes)}
    ${field('to', 'To (UTC)', minutes)}
    <button>Search</button>
  </form>`;
}
