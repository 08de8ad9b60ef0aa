/**
 * What is public on the node's loopback address, for others too: each request is asked anew there, and nothing but its
 * path and a few headers is passed on. So the node manager itself never speaks with strangers.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { listen, type Listening } from '../../../kube/listen.ts';
import { HTTP_BOUNDS } from '../server.ts';

export interface ProxyOptions {
  /** Where the node manager serves its sensors. */
  origin: { host: string; port: number };
  /** Where strangers come; an empty address is every address of the node. */
  address: string;
  port: number;
}

const MAX_CONNECTIONS = 128;
/** Connections to the node manager: strangers must leave some to those on the node. */
const MAX_ASKED = 64;
const STILL_MS = 30_000;
const PASSED = ['accept', 'if-none-match'] as const;
const RETURNED = [
  ...['content-type', 'content-length', 'etag', 'vary', 'last-modified', 'cache-control'],
  ...['allow', 'retry-after', 'x-content-type-options', 'content-security-policy'],
];

/** Rejects where the port can't be had. */
export async function serveProxy({ origin, address, port }: ProxyOptions): Promise<Listening> {
  let asked = 0;
  const server = createServer(HTTP_BOUNDS, (incoming, response) => {
    if (incoming.method !== 'GET' && incoming.method !== 'HEAD') return refuse(response, 405, 'only GET and HEAD');
    if (asked >= MAX_ASKED) return refuse(response, 503, 'too many ask at once: try again later');
    asked++;
    response.once('close', () => asked--);
    pass(origin, incoming, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(STILL_MS);
  server.on('clientError', (_, socket) => void socket.destroy());
  return await listen(server, { port, host: address, what: `${address || '*'}:${port}` });
}

function pass(
  origin: ProxyOptions['origin'],
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const passed = Object.fromEntries(
    PASSED.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
  );
  const path = url?.startsWith('/') ? url : '/';
  const asking = request({ ...origin, method, path, headers: passed, agent: false, timeout: STILL_MS }, (answer) => {
    const returned = RETURNED.flatMap((name) =>
      answer.headers[name] === undefined ? [] : [[name, answer.headers[name]]],
    );
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(returned));
    // what is cut off there is cut off here: it must not look complete
    answer.once('error', () => response.destroy());
    answer.pipe(response);
  });
  asking.once('timeout', () => asking.destroy());
  asking.once('error', () => {
    if (response.headersSent) response.destroy();
    else refuse(response, 502, 'the node manager does not answer: try again later');
  });
  response.once('close', () => asking.destroy());
  asking.end();
}

function refuse(response: ServerResponse, status: number, text: string): void {
  const allow = status === 405 ? { allow: 'GET, HEAD' } : {};
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...allow }).end(`${text}\n`);
}
