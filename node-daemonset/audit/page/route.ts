/** What a request asks for. Pure, and strict: whoever asks may be anybody. */
import { type FlowQuery, parseQuery, QueryError } from '../../../crds/flowquery.ts';

export type Format = 'html' | 'json' | 'csv';

/**
 * `First`: the last hour, by destination and by slice. `Flows`, `Pairs`: what a query finds, told apart or added up. `Sums`:
 * what each slice sent in this hour and the last, for programs.
 */
export interface Route {
  page: 'First' | 'Flows' | 'Pairs' | 'Sums';
  format: Format;
  query: FlowQuery;
  /** Without its ending and its parameters: the addresses of the same in other formats begin so. */
  path: string;
}

/** What can't be answered, and the HTTP status that says so. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const MAX_URL = 2_048;
/** Pairs from which the first page is made. */
const FIRST_ROWS = 10_000;

/** Throws HttpError. `url`: as in the request's first line. */
export function routeOf(method: string, url: string, accept: string, now: number): Route {
  if (method !== 'GET' && method !== 'HEAD') throw new HttpError(405, 'only GET and HEAD');
  if (url.length > MAX_URL) throw new HttpError(414, `an address of more than ${MAX_URL} characters`);
  const [, raw = '', search = ''] = /^(\/[^?#]*)\??([^#]*)$/.exec(url) ?? [];
  if (raw === '' || raw.startsWith('//')) throw new HttpError(400, 'no path');
  const [path, ending] = withoutEnding(decoded(raw));
  const parameters = new URLSearchParams(search);
  const named = /^\/(destination|slice)\/(.+)$/.exec(path);
  if (named) {
    if (parameters.has(named[1]!)) throw new HttpError(400, `${named[1]} is in the path already`);
    parameters.set(named[1]!, named[2]!);
  }
  const page = named ? 'Flows' : PAGES.get(path);
  if (!page || (page === 'Sums' && ending !== 'json')) throw new HttpError(404, 'there is no such page');
  if ((page === 'First' || page === 'Sums') && parameters.size > 0) {
    throw new HttpError(400, `${page === 'First' ? 'the first page' : '/sums.json'} takes no parameters: see /flows`);
  }
  if (page === 'First') {
    parameters.set('limit', String(FIRST_ROWS));
  }
  try {
    return { page, format: ending ?? accepted(accept, page), query: parseQuery(parameters, now), path: raw };
  } catch (error) {
    if (error instanceof QueryError) throw new HttpError(400, error.message);
    throw error;
  }
}

const PAGES = new Map<string, Route['page']>([
  ['/', 'First'],
  ['/index', 'First'],
  ['/flows', 'Flows'],
  ['/pairs', 'Pairs'],
  ['/sums', 'Sums'],
]);

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new HttpError(400, 'the path is not UTF-8 in percent signs');
  }
}

function withoutEnding(path: string): [string, Format | undefined] {
  const match = /^(.+)\.(html|json|csv)$/.exec(path);
  return match ? [match[1]!, match[2] as Format] : [path, undefined];
}

/** In what form somebody is told that his question can't be answered. */
export function formatOf(url: string, accept: string): Format {
  const [path = ''] = url.slice(0, MAX_URL).split('?', 1);
  return withoutEnding(path)[1] ?? accepted(accept, 'Flows');
}

const TYPES: readonly (readonly [string, Format])[] = [
  ['text/html', 'html'],
  ['application/json', 'json'],
  ['text/csv', 'csv'],
];

/** The format with the highest weight, HTML where several have it or none is named. */
function accepted(accept: string, page: Route['page']): Format {
  const weights = new Map<string, number>();
  for (const part of accept.slice(0, 1_000).split(',')) {
    const [type = '', ...parameters] = part.split(';').map((one) => one.trim().toLowerCase());
    const weight = parameters.find((one) => one.startsWith('q='))?.slice(2);
    weights.set(type, weight === undefined ? 1 : Number(weight) || 0);
  }
  const best = TYPES.map(([type, format]) => ({ format, weight: weights.get(type) ?? 0 })).toSorted(
    (a, b) => b.weight - a.weight,
  )[0]!;
  if (best.weight > 0) return best.format;
  return page === 'Pairs' ? 'json' : 'html';
}
