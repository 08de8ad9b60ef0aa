/** The sensors of a node over HTTP: on its loopback address for everybody there, and on each sliver's socket. */
import { createServer, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { closeServer, listen, listenAtSocket, type Listening } from '../../kube/listen.ts';
import { Allowance } from './allowance.ts';
import { answer, type AnswerParts, type Client, sendText } from './answer.ts';
import { Places } from './places.ts';

/** PlanetLab's. Slivers on the node's own network may reach it, and nothing else on its loopback address. */
export const SENSOR_PORT = 33080;

export const HTTP_BOUNDS: ServerOptions = {
  requestTimeout: 5_000,
  headersTimeout: 5_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8_192,
};
const MAX_CONNECTIONS = 512;
/** A connection a request. */
const MAX_OF_PAGE = 128;
/** Requests of all who come by TCP; this process has other things to do as well. */
const REQUESTS = { perSecond: 3_000, burst: 6_000 };
const PAGE_REQUESTS = { perSecond: 500, burst: 1_000 };
/** Streams that are followed by TCP, also of one namespace's Sensors; and by strangers. */
export const STREAMS = { most: 320, ofNamespace: 240 };
const PAGE_STREAMS = 32;
/** A connection on which nothing moves for so long is over; streams are not meant. */
const STILL_MS = 30_000;

/** Rejects where the port can't be had. */
export async function serveSensors(
  parts: AnswerParts,
  { host = '127.0.0.1', port = SENSOR_PORT }: { host?: string; port?: number } = {},
): Promise<Listening> {
  const allowance = new Allowance(REQUESTS.perSecond, REQUESTS.burst, performance.now());
  const streams = new Places(STREAMS.most, STREAMS.ofNamespace);
  const client: Client = { asker: { kind: 'public' }, allowance, streams, pending: { bytes: 0 } };
  const server = createHttpServer(parts, () => client);
  server.maxConnections = MAX_CONNECTIONS;
  return await listen(server, { port, host, what: `port ${port} for sensors` });
}

/** For the node's page, which asks for strangers: what they take is not taken from those on the node. */
export async function servePageSocket(
  parts: AnswerParts,
  { socket, group }: { socket: string; group: number | undefined },
): Promise<{ close(): Promise<void> }> {
  const allowance = new Allowance(PAGE_REQUESTS.perSecond, PAGE_REQUESTS.burst, performance.now());
  const streams = new Places(PAGE_STREAMS);
  const client: Client = { asker: { kind: 'public' }, allowance, streams, pending: { bytes: 0 } };
  const server = createHttpServer(parts, () => client);
  server.maxConnections = MAX_OF_PAGE;
  await listenAtSocket(server, socket, group);
  return { close: () => closeServer(server) };
}

/** A server that listens nowhere yet; connections can be given to it. */
export function createHttpServer(parts: AnswerParts, clientOf: (socket: Socket) => Client): Server {
  const server = createServer(HTTP_BOUNDS, (request, response) => {
    const client = clientOf(request.socket);
    if (client.allowance.take(performance.now())) return answer(parts, request, response, client);
    // what it has sent already is not read
    response.setHeader('connection', 'close');
    response.setHeader('retry-after', '1');
    sendText(response, 429, 'too many requests: the answer holds for as long as its cache-control says');
  });
  server.setTimeout(STILL_MS);
  // a request that is none costs no more than its connection
  server.on('clientError', (_, socket) => void socket.destroy());
  return server;
}
