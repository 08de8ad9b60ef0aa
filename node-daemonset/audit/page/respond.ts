/** From a request to the bytes of its answer; the same whoever carries them. */
import { flowsCsv, pairsCsv } from '../../../crds/flows.ts';
import { documentOf } from './document.ts';
import { firstPage } from './first.ts';
import { formOf, valuesIn } from './form.ts';
import { html } from './html.ts';
import { resultsPage } from './results.ts';
import { type Format, formatOf, HttpError, type Route, routeOf } from './route.ts';
import type { Source } from './source.ts';
import { CONTENT_SECURITY_POLICY } from './style.ts';

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface Asked {
  method: string;
  url: string;
  accept: string;
  /** The address that asks. */
  visitor: string | undefined;
  now: number;
}

const TYPES: Readonly<Record<Format | 'text', string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  csv: 'text/csv; charset=utf-8; header=present',
  text: 'text/plain; charset=utf-8',
};

/** Never rejects: what can't be answered is an answer, too. */
export async function respond(source: Source, asked: Asked): Promise<Answer> {
  try {
    const route = routeOf(asked.method, asked.url, asked.accept, asked.now);
    return { status: 200, headers: headersOf(route.format), body: await bodyOf(source, route, asked) };
  } catch (error) {
    return await refusal(
      source,
      asked,
      error instanceof HttpError ? error : new HttpError(500, 'something failed here'),
    );
  }
}

/** In the form that was asked for; to people with the form, to try again. */
async function refusal(source: Source, { url, accept }: Asked, { status, message }: HttpError): Promise<Answer> {
  const format = formatOf(url, accept);
  const more: Record<string, string> =
    status === 405 ? { allow: 'GET, HEAD' } : status === 503 ? { 'retry-after': '5' } : {};
  const headers = { ...headersOf(format === 'csv' ? 'text' : format), ...more };
  if (format === 'json') return { status, headers, body: json({ error: message }) };
  if (format === 'csv') return { status, headers, body: `${message}\n` };
  // of a node manager that does not answer nothing else is asked
  const settings = status < 500 ? await source.settings().catch(() => undefined) : undefined;
  const body = documentOf(
    `Error ${status}`,
    settings?.node ?? 'This machine',
    html`<h1>${status}</h1>
      <p>${message}.</p>
      ${formOf(valuesIn(url))}`,
    settings?.contact,
  );
  return { status, headers, body };
}

async function bodyOf(source: Source, { page, format, query, path }: Route, asked: Asked): Promise<string> {
  if (page === 'Sums') return json(await source.sums());
  if (format !== 'html') {
    if (page === 'Flows') {
      const answer = await source.flows(query);
      return format === 'json' ? json(answer) : flowsCsv(answer.flows.map((row) => ({ node: answer.node, ...row })));
    }
    const answer = await source.pairs(query);
    return format === 'json' ? json(answer) : pairsCsv(answer.pairs.map((row) => ({ node: answer.node, ...row })));
  }
  if (page === 'First') {
    const [settings, pairs] = await Promise.all([source.settings(), source.pairs(query)]);
    return firstPage(settings, pairs, asked.visitor);
  }
  const [settings, pairs, flows] = await Promise.all([source.settings(), source.pairs(query), source.flows(query)]);
  const search = /\?.*$/.exec(asked.url)?.[0] ?? '';
  return resultsPage(settings, query, pairs, flows, (ending) => `${path.replace(/\.html$/, '')}.${ending}${search}`);
}

function json(answer: object): string {
  return `${JSON.stringify(answer)}\n`;
}

function headersOf(format: Format | 'text'): Record<string, string> {
  return {
    'content-type': TYPES[format],
    'content-security-policy':
      format === 'html' ? CONTENT_SECURITY_POLICY : "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'x-robots-tag': 'noindex',
    'cache-control': 'no-store',
    vary: 'accept',
    ...(format === 'csv' && { 'content-disposition': 'inline; filename="flows.csv"' }),
  };
}
