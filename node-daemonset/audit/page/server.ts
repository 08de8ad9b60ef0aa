/** Serves the page to strangers: bounded in connections, requests, time and memory, each visitor apart from the others. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { formatAddress, parseAddress } from '../../../crds/ipaddress.ts';
import { BusyError, createGate, type Gate } from '../../../kube/gate.ts';
import { listen, type Listening } from '../../../kube/listen.ts';
import { createCounts, limitVisitors, neighbourhood, type VisitorLimits } from '../../../kube/visitors.ts';
import { respond } from './respond.ts';
import { HttpError } from './route.ts';
import type { Source } from './source.ts';

export interface PageServerOptions {
  source: Source;
  /** '' is every address of the machine. */
  address: string;
  /** 0 takes a free one. */
  port: number;
  now(): number;
  /** Bounds that tests make small. */
  limits?: Partial<Limits>;
}

export interface Limits extends VisitorLimits {
  connections: number;
  /** Requests of one of those that are being answered. */
  requestsEach: number;
  /** The most time for a whole answer to be taken, in ms. */
  answerMs: number;
  /** Answers that wait to be taken, in bytes of all. */
  pendingBytes: number;
}

const LIMITS: Limits = {
  connections: 512,
  connectionsEach: 16,
  requestsEach: 4,
  answerMs: 60_000,
  idleMs: 20_000,
  pendingBytes: 96 * 1024 * 1024,
};

/** Rejects where the address can't be had. */
export async function servePage(options: PageServerOptions): Promise<Listening> {
  const limits = { ...LIMITS, ...options.limits };
  // questions that the node manager is asked at a time; it has a bound of its own, for whoever else asks
  const gate = createGate(2, 12);
  let pending = 0;
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => void answer(request, response),
  );
  server.maxRequestsPerSocket = 100;
  server.maxHeadersCount = 64;
  limitVisitors(server, limits);
  const asking = createCounts<string>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', socket } = request;
    const late = setTimeout(() => socket.destroy(), limits.answerMs);
    const who = neighbourhood(socket.remoteAddress);
    const requests = asking.add(who);
    let size = 0;
    response.once('close', () => {
      clearTimeout(late);
      pending -= size;
      asking.remove(who);
    });
    // what nobody asked for is not read
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
      response.shouldKeepAlive = false;
    }
    const accept = request.headers.accept ?? '';
    const asked = { method, url, accept, visitor: visitorOf(socket), now: options.now() };
    // also one that pipelines: its requests wait for each other, not others for them
    const full = pending > limits.pendingBytes || requests > limits.requestsEach;
    const { status, headers, body } = await respond(full ? TOO_FULL : gated(options.source, gate), asked);
    const bytes = Buffer.from(body);
    if (socket.destroyed) return;
    size = bytes.length;
    pending += size;
    response.writeHead(status, { ...headers, 'content-length': size }).end(bytes);
  }

  const { address, port } = options;
  return await listen(server, { port, host: address, what: `${address || '*'}:${port}` });
}

const refuse = (): Promise<never> => Promise.reject(new HttpError(503, 'too many visitors at once: try again soon'));
const TOO_FULL: Source = { settings: refuse, flows: refuse, pairs: refuse, sums: refuse };

function gated({ settings, flows, pairs, sums }: Source, gate: Gate): Source {
  const bounded = <A extends unknown[], T>(ask: (...args: A) => Promise<T>) => {
    return (...args: A): Promise<T> =>
      gate(() => ask(...args)).catch((error: Error) => {
        throw error instanceof BusyError ? new HttpError(503, error.message) : error;
      });
  };
  return { settings, sums, flows: bounded(flows), pairs: bounded(pairs) };
}

function visitorOf({ remoteAddress = '' }: Socket): string | undefined {
  const bytes = parseAddress(remoteAddress.replace(/%.*$/, ''));
  return bytes && formatAddress(bytes);
}
