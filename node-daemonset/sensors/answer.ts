/** Answers one HTTP request for a sensor. Whoever asks may be anybody: it is read strictly, and costs little. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cell } from '../../crds/reading.ts';
import { type Form, parseSensorPath } from '../../crds/sensorpath.ts';
import type { Allowance } from './allowance.ts';
import { contents, contentsPage } from './contents.ts';
import type { Places } from './places.ts';
import type { SensorRegistry } from './readings.ts';
import { type Asker, SensorError, type SensorFailure, type SensorInfo } from './registry.ts';
import { bodyOf, headBytes, rowBytes, STREAM_TYPES, TYPES } from './render.ts';
import type { Stream } from './source.ts';

export interface AnswerParts {
  registry: SensorRegistry;
  nodeName: string;
  /** JSON of the paths that are no sensors, such as where the node publishes them. */
  documents: Readonly<Record<string, () => object>>;
  now(): number;
}

const MAX_URL = 2_048;
/** A reader that is so far behind is hung up on: a gap in a table is told by nothing. */
const MAX_BEHIND = 256 * 1024;

const STATUS: Readonly<Record<SensorFailure, number>> = {
  NotFound: 404,
  BadArguments: 400,
  Forbidden: 403,
  Busy: 503,
  Failed: 502,
  TimedOut: 504,
  TooLarge: 502,
};

/** Who is at the other end of a connection, and what it may still ask. */
export interface Client {
  asker: Asker;
  allowance: Pick<Allowance, 'take'>;
  /** By the namespace whose stream is followed. */
  streams: Places;
  /** Of all who come the same way: bytes of answers that wait to be taken. */
  pending: { bytes: number };
}

/** Beyond it whoever wants much has to wait: readers that are slow hold what others have replaced since. */
const MAX_PENDING = 2 ** 25;
const SMALL = 2 ** 16;

export function answer(parts: AnswerParts, request: IncomingMessage, response: ServerResponse, client: Client): void {
  respond(parts, request, response, client).catch((error: Error) => refuse(response, error));
}

async function respond(
  parts: AnswerParts,
  request: IncomingMessage,
  response: ServerResponse,
  { asker, streams, pending }: Client,
): Promise<void> {
  const { method, url = '', headers } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return sendText(response, 405, 'only GET and HEAD');
  }
  if (asker.kind === 'public' && !isLocalName(headers.host)) {
    // a page that has its own name lead here must not read what this machine says
    return sendText(response, 421, 'ask for localhost, or for an address');
  }
  if (url.length > MAX_URL) return sendText(response, 414, `an address of more than ${MAX_URL} characters`);
  const [path = ''] = url.split('?', 1);
  const parsed = parseSensorPath(path, headers.accept ?? '');
  if (!parsed) return sendText(response, 400, 'the address is no /<sensor>/<argument>...');
  const { registry, nodeName, now } = parts;
  const { parts: [name, ...args], form } = parsed; // prettier-ignore
  if (name === undefined) {
    const list = registry.list();
    if (!/\btext\/html\b/.test(headers.accept ?? ''))
      return send(request, response, pending, contents(list, now()), form, 0);
    return sendPage(response, contentsPage(nodeName, list));
  }
  if (Object.hasOwn(parts.documents, path)) {
    return sendBytes(response, TYPES.json, Buffer.from(`${JSON.stringify(parts.documents[path]!())}\n`));
  }
  const { info, stream } = registry.open(name, asker);
  if (stream && args.length === 0) {
    return follow({ request, response, info, stream, streams, form });
  }
  const leaving = new AbortController();
  response.once('close', () => leaving.abort());
  const reading = await registry.read(name, args, asker, leaving.signal);
  const fresh = registry.freshFor(name, reading, now());
  send(request, response, pending, reading, form, fresh, info.access === 'Public');
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  pending: Client['pending'],
  reading: Parameters<typeof bodyOf>[0],
  form: Form,
  freshMs: number,
  isPublic = true,
): void {
  const { bytes, etag } = bodyOf(reading, form);
  if (bytes.length > SMALL && pending.bytes + bytes.length > MAX_PENDING) {
    throw new SensorError('Busy', 'too much waits to be taken by others: try again later');
  }
  response.setHeader('etag', etag);
  response.setHeader('vary', 'accept');
  response.setHeader('last-modified', new Date(reading.time).toUTCString());
  const seconds = Math.floor(freshMs / 1000);
  response.setHeader('cache-control', `${isPublic ? 'public' : 'private'}, max-age=${seconds}`);
  const known = request.headers['if-none-match'];
  if (known !== undefined && (known.trim() === '*' || known.split(/\s*,\s*/).includes(etag))) {
    response.writeHead(304).end();
    return;
  }
  pending.bytes += bytes.length;
  response.once('close', () => (pending.bytes -= bytes.length));
  sendBytes(response, TYPES[form], bytes);
}

interface Following {
  request: IncomingMessage;
  response: ServerResponse;
  info: SensorInfo;
  stream: Stream;
  streams: Places;
  form: Form;
}

function follow({ request, response, info, stream, streams, form }: Following): void {
  const leave = request.method === 'GET' ? streams.take(namespaceOf(info)) : undefined;
  if (request.method === 'GET' && !leave) {
    throw new SensorError(
      'Busy',
      `too many streams are followed, of this namespace or of ${streams.most} for all who come this way`,
    );
  }
  const headers = { 'content-type': STREAM_TYPES[form], 'cache-control': 'no-store', ...SAFE };
  response.writeHead(200, headers);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  // rows may be long in coming
  request.socket.setTimeout(0);
  response.write(headBytes(info.columns, form));
  const stop = stream.follow({
    row(row: readonly Cell[]) {
      if (response.destroyed || response.writableEnded) return;
      if (response.writableLength > MAX_BEHIND) request.socket.destroy();
      else response.write(rowBytes(row, form));
    },
    // without the last chunk: what ends by an error must not look complete
    end: (error) => (error ? request.socket.destroy() : response.end()),
  });
  response.once('close', () => {
    leave?.();
    stop();
  });
}

/** Whose Sensor it is. */
function namespaceOf({ name }: SensorInfo): string {
  return name.split('.', 1)[0]!;
}

const SAFE = { 'x-content-type-options': 'nosniff' };

function sendBytes(response: ServerResponse, type: string, bytes: Buffer, more: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length, ...SAFE, ...more }).end(bytes);
}

function sendPage(response: ServerResponse, html: Buffer): void {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
  sendBytes(response, 'text/html; charset=utf-8', html, {
    'content-security-policy': policy,
    'cache-control': 'no-store',
  });
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...SAFE };
  response.writeHead(status, headers).end(`${text}\n`);
}

function refuse(response: ServerResponse, error: Error): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const status = error instanceof SensorError ? STATUS[error.reason] : 502;
  if (status === 503) response.setHeader('retry-after', '1');
  sendText(response, status, error.message);
}

/** localhost or an address, with any port; HTTP/1.0 says nothing. */
function isLocalName(host: string | undefined): boolean {
  return host === undefined || /^(localhost|[\d.]+|\[[0-9a-f:.]+\])(:\d+)?$/i.test(host);
}
