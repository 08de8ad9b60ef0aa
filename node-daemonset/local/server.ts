/** HTTP for slivers: small requests, one at a time on a connection, each read by openapi.yaml and bounded in size and time. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../../kube/log.ts';
import type { Sliver } from '../sliver.ts';
import { type Answer, answer, type AnswerParts, mayAsk } from './answer.ts';
import { LOCAL_BOUNDS } from './bounds.ts';
import { callOf, type Route, routeOf } from './calls.ts';
import type { Counted, CountLocal } from './metrics.ts';
import { type LocalCode, Refusal, STATUS } from './refusal.ts';

/** Who is at the other end of a connection, and what it may still ask. */
export interface Client {
  /** As it is now. */
  sliver: Sliver | undefined;
  mayRequest(): boolean;
  mayOperate(): boolean;
}

export interface LocalServerParts {
  answering: AnswerParts;
  /** Whether the node's owner offers the privilege. */
  isOffered(): boolean;
  clientOf(socket: Socket): Client;
  count: CountLocal;
  onRefused(socket: Socket, operation: Counted, refusal: Refusal): void;
  log: Pick<Log, 'error'>;
}

const SAFE = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** A server that listens nowhere: connections are given to it. */
export function createLocalServer(parts: LocalServerParts): Server {
  const { count, onRefused, log } = parts;
  const busy = new WeakSet<Socket>();
  const server = createServer(
    {
      requestTimeout: 5_000,
      headersTimeout: 5_000,
      keepAliveTimeout: 15_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 8_192,
    },
    (request, response) => {
      const { socket } = request;
      let operation: Counted = 'Unknown';
      const work = async (): Promise<Answer> => {
        if (busy.has(socket)) throw new Refusal('TooManyRequests', 'wait for one answer before the next request');
        busy.add(socket);
        response.once('close', () => busy.delete(socket));
        const client = parts.clientOf(socket);
        if (!client.mayRequest()) throw new Refusal('TooManyRequests', 'too many requests: wait a second');
        const route = routed(request);
        ({ operation } = route);
        const sliver = mayAsk(client.sliver, parts.isOffered());
        const call = callOf(route, await bodyOf(request, route));
        return await answer(parts.answering, call, { sliver, mayOperate: client.mayOperate });
      };
      void work()
        .then((done) => {
          count(operation, 'Done');
          return send(response, done);
        })
        .catch((error: Error) => {
          if (!(error instanceof Refusal)) log.error({ err: error, operation }, 'a local request failed');
          const refusal = error instanceof Refusal ? error : new Refusal('Failed', 'the node manager failed');
          count(operation, refusal.code);
          onRefused(socket, operation, refusal);
          refuse(response, refusal);
        });
    },
  );
  server.setTimeout(LOCAL_BOUNDS.stillMs);
  // a request that is none costs no more than its connection
  server.on('clientError', (_, socket) => void socket.destroy());
  return server;
}

/** What whoever has no business here gets, before anything is read of him. */
export function refusalText(code: LocalCode, message: string): string {
  const body = bodyOfRefusal(code, message);
  const head = `HTTP/1.1 ${STATUS[code]} Refused\r\ncontent-type: application/json\r\n`;
  return `${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}

function routed({ method = '', url = '' }: IncomingMessage): Route {
  if (url.length > LOCAL_BOUNDS.pathBytes) throw new Refusal('NotFound', 'there is no such path: see /openapi.yaml');
  return routeOf(method, url);
}

async function bodyOf(request: IncomingMessage, { hasBody }: Route): Promise<string> {
  if (!hasBody) return '';
  const chunks: Buffer[] = [];
  let size = 0;
  // it is answered even where not all of it is read
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LOCAL_BOUNDS.bodyBytes) {
      throw new Refusal('TooLarge', `a body has at most ${LOCAL_BOUNDS.bodyBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, done: Answer): void {
  if (done.status === 204) response.writeHead(204, SAFE).end();
  else if ('yaml' in done) response.writeHead(200, { ...SAFE, 'content-type': 'application/yaml' }).end(done.yaml);
  else response.writeHead(done.status, { ...SAFE, 'content-type': 'application/json' }).end(line(done.body));
}

function refuse(response: ServerResponse, { code, message }: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  // what it has sent already is not read
  if (code === 'TooManyRequests' || code === 'TooLarge') response.setHeader('connection', 'close');
  if (code === 'TooManyRequests' || code === 'Busy') response.setHeader('retry-after', '1');
  response.writeHead(STATUS[code], { ...SAFE, 'content-type': 'application/json' }).end(bodyOfRefusal(code, message));
}

function bodyOfRefusal(code: LocalCode, message: string): string {
  return line({ code, message });
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
