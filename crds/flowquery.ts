/** A question about flows, as it stands in a URL: read strictly, since whoever asks may be anybody. */
import { formatPrefix, parsePrefix, type Prefix } from './ipaddress.ts';
import { parseProtocol, protocolName } from './flows.ts';

/** Every condition that is there must hold. Times are ms since the epoch. */
export interface FlowQuery {
  destination?: Prefix;
  namespace?: string;
  slice?: string;
  /** The destination's. */
  port?: number;
  sourcePort?: number;
  protocol?: number;
  /** A flow is in the answer where it has a packet from here … */
  from: number;
  /** … up to but without here. */
  to: number;
  /** Rows. */
  limit: number;
}

export class QueryError extends Error {
  override readonly name = 'QueryError';
}

/** What is asked for where nothing is said. */
export const DEFAULT_LIMIT = 1_000;
export const MAX_LIMIT = 10_000;
const HOUR_MS = 3_600_000;
/** Beyond any archive; keeps every time one that a Date can hold. */
const MAX_TIME = Date.UTC(9999, 0);

/** In the order in which they are shown. */
export const PARAMETERS = [
  'destination',
  'slice',
  'protocol',
  'port',
  'sourcePort',
  'from',
  'to',
  'limit',
] as const satisfies readonly string[];

/**
 * Reads the parameters; an empty one counts as not there, as forms send them. The default is the last hour before `now`.
 * Throws QueryError, whose message names the parameter, for what it does not know or understand.
 */
export function parseQuery(parameters: URLSearchParams, now: number): FlowQuery {
  const given = new Map<string, string>();
  for (const [name, value] of parameters) {
    if (!(PARAMETERS as readonly string[]).includes(name)) {
      throw new QueryError(`there is no parameter ${quoted(name)}: there are ${PARAMETERS.join(', ')}`);
    }
    if (given.has(name)) throw new QueryError(`${name} is given twice`);
    if (value.trim() !== '') given.set(name, value.trim());
  }
  const read = <T>(name: (typeof PARAMETERS)[number], parse: (text: string) => T | undefined, what: string) => {
    const text = given.get(name);
    const value = text === undefined ? undefined : parse(text);
    if (text !== undefined && value === undefined) throw new QueryError(`${name}: ${quoted(text)} is not ${what}`);
    return value;
  };
  const slice = read('slice', parseSlice, 'the name of a slice, or namespace/name');
  const to = read('to', parseTime, 'a time such as 2026-12-01T12:00:00Z') ?? now + 1;
  const from = read('from', parseTime, 'a time such as 2026-12-01T12:00:00Z') ?? to - HOUR_MS;
  if (from >= to) throw new QueryError('from must be before to');
  return {
    ...defined('destination', read('destination', parsePrefix, 'an IP address or a prefix such as 192.0.2.0/24')),
    ...slice,
    ...defined('port', read('port', parsePort, 'a port from 0 to 65535')),
    ...defined('sourcePort', read('sourcePort', parsePort, 'a port from 0 to 65535')),
    ...defined('protocol', read('protocol', parseProtocol, 'TCP, UDP, ICMP, ICMPv6 or a number up to 255')),
    from,
    to,
    limit: read('limit', parseLimit, `a number of rows from 1 to ${MAX_LIMIT}`) ?? DEFAULT_LIMIT,
  };
}

/** The parameters that ask the same question. */
export function formatQuery(query: FlowQuery): URLSearchParams {
  const parameters = new URLSearchParams();
  const { destination, namespace, slice, port, sourcePort, protocol, from, to, limit } = query;
  if (destination) parameters.set('destination', formatPrefix(destination));
  if (slice !== undefined) parameters.set('slice', namespace === undefined ? slice : `${namespace}/${slice}`);
  if (protocol !== undefined) parameters.set('protocol', protocolName(protocol));
  if (port !== undefined) parameters.set('port', String(port));
  if (sourcePort !== undefined) parameters.set('sourcePort', String(sourcePort));
  parameters.set('from', formatTime(from));
  parameters.set('to', formatTime(to));
  parameters.set('limit', String(limit));
  return parameters;
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** RFC 3339 with a zone; what a browser's datetime field sends (no seconds, no zone) counts as UTC. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?$/.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}T${match[2]}${match[3] ?? ':00'}${match[4]?.toUpperCase() ?? 'Z'}`);
  return Number.isFinite(ms) && ms >= 0 && ms <= MAX_TIME ? Math.floor(ms) : undefined;
}

function parseSlice(text: string): Pick<FlowQuery, 'namespace' | 'slice'> | undefined {
  const match = /^(?:([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)\/)?([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)$/.exec(text);
  if (!match) return undefined;
  return { ...defined('namespace', match[1]), slice: match[3]! };
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}

function parseLimit(text: string): number | undefined {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= MAX_LIMIT ? Number(text) : undefined;
}

function defined<K extends string, V>(name: K, value: V | undefined): { [key in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [key in K]?: V };
}

/** What somebody sent us, short and in printable ASCII. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 60)).replace(/[^\x20-\x7e]/g, '?');
}
