/**
 * What everybody on the node may know, for others too: each request is asked anew of the node manager, over a socket of the
 * page's own, and nothing but its path and a few headers is passed on. So the node manager itself never speaks with
 * strangers, and what they ask is not counted as that of those on the node.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { listen, type Listening } from '../../../kube/listen.ts';
import { limitVisitors, neighbourhood } from '../../../kube/visitors.ts';
import { Places } from '../places.ts';
import { HTTP_BOUNDS } from '../server.ts';

export interface ProxyOptions {
  /** Where the node manager serves the page. */
  socketPath: string;
  /** Where strangers come; an empty address is every address of the node. */
  address: string;
  port: number;
  /** Bounds that tests make small. */
  limits?: Partial<Limits>;
}

interface Limits {
  connections: number;
  connectionsEach: number;
  /** Requests that wait for their answer; streams are counted apart once they have begun. */
  asked: number;
  askedEach: number;
  streams: number;
  streamsEach: number;
}

const LIMITS: Limits = { connections: 256, connectionsEach: 16, asked: 64, askedEach: 8, streams: 32, streamsEach: 4 };
const STILL_MS = 30_000;
const PASSED = ['accept', 'if-none-match'] as const;
const RETURNED = [
  ...['content-type', 'content-length', 'etag', 'vary', 'last-modified', 'cache-control'],
  ...['allow', 'retry-after', 'x-content-type-options', 'content-security-policy'],
];

/** Rejects where the port can't be had. */
export async function serveProxy({ socketPath, address, port, limits: given }: ProxyOptions): Promise<Listening> {
  const limits = { ...LIMITS, ...given };
  const asked = new Places(limits.asked, limits.askedEach);
  const streams = new Places(limits.streams, limits.streamsEach);
  const server = createServer(HTTP_BOUNDS, (incoming, response) => {
    if (incoming.method !== 'GET' && incoming.method !== 'HEAD') return refuse(response, 405, 'only GET and HEAD');
    const who = neighbourhood(incoming.socket.remoteAddress);
    const leave = asked.take(who);
    if (!leave) return refuse(response, 503, 'too many ask at once: try again later');
    response.once('close', leave);
    pass(socketPath, incoming, response, () => {
      leave();
      const end = streams.take(who);
      if (end) response.once('close', end);
      return end !== undefined;
    });
  });
  limitVisitors(server, limits);
  server.setTimeout(STILL_MS);
  return await listen(server, { port, host: address, what: `${address || '*'}:${port}` });
}

function pass(
  socketPath: string,
  { method, url, headers, socket }: IncomingMessage,
  response: ServerResponse,
  mayStream: () => boolean,
): void {
  const passed = Object.fromEntries(
    PASSED.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
  );
  const path = url?.startsWith('/') ? url : '/';
  const asking = request({ socketPath, method, path, headers: passed, agent: false, timeout: STILL_MS }, (answer) => {
    const isStream = method === 'GET' && answer.statusCode === 200 && answer.headers['content-length'] === undefined;
    if (isStream && !mayStream()) {
      refuse(response, 503, 'too many streams are followed: try again later');
      asking.destroy();
      return;
    }
    // rows may be long in coming
    if (isStream) for (const one of [socket, answer.socket]) one.setTimeout(0);
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
