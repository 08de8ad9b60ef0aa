/**
 * Takes requests for tickets over HTTP: `POST /redeem`, and `GET /` with the broker's public key, what it answered so far and how its settings
 * are. It needs no TLS: requests and answers are signed, and values sealed for one holder.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, type Listening } from '../../../kube/listen.ts';
import type { Log } from '../../../kube/log.ts';
import { limitVisitors, type VisitorLimits } from '../../../kube/visitors.ts';
import type { Broker } from './broker.ts';
import type { SettingsState } from './following.ts';
import type { KeyPair } from './key.ts';
import { type Reason, REASONS, Refusal } from './refusal.ts';
import { MAX_REQUEST, refusedAs, type Said, signAnswer } from './request.ts';

export interface TicketServerOptions {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string | undefined;
  key: KeyPair;
  broker: Pick<Broker, 'redeem'>;
  /** When its settings were read, and what is wrong with them. */
  settings: () => SettingsState;
  /** Ends what waits for nodes. */
  signal: AbortSignal;
  log: Log;
  /** Bounds that tests change. */
  limits?: Partial<VisitorLimits>;
}

const MAX_CONNECTIONS = 256;
/** Longer than any answer takes. */
const VISITOR: VisitorLimits = { connectionsEach: MAX_CONNECTIONS / 2, idleMs: 60_000 };

/** Rejects where the port can't be had. */
export async function serveTickets(options: TicketServerOptions): Promise<Listening> {
  const { port, host, key, log } = options;
  const redeemed = { Redeemed: 0 };
  const refused: Partial<Record<Reason | 'Failed', number>> = {};

  async function redeem(text: string): Promise<Said> {
    try {
      const answer = await options.broker.redeem(text, options.signal);
      redeemed.Redeemed++;
      return answer;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      refused[refusal.reason] = (refused[refusal.reason] ?? 0) + 1;
      log.info({ reason: refusal.reason, why: refusal.message }, 'a ticket was refused');
      return refusedAs(refusal);
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url } = request;
    if (url === '/' && (method === 'GET' || method === 'HEAD')) {
      send(response, 200, { broker: key.publicKey, ...redeemed, refused, settings: options.settings() });
    } else if (url !== '/redeem') send(response, 404, { message: 'there are GET / and POST /redeem' });
    else if (method !== 'POST') send(response, 405, { message: 'only POST' });
    else {
      const text = await bodyOf(request);
      const said = await redeem(text);
      send(response, said.outcome === 'Redeemed' ? 200 : REASONS[said.reason], signAnswer(said, text, key));
    }
  }

  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 8_192 },
    (request, response) => {
      answer(request, response).catch((error: unknown) => {
        refused.Failed = (refused.Failed ?? 0) + 1;
        log.error({ err: error }, 'a request failed');
        // what failed may have come half of the way: the same request goes on from there
        if (!response.headersSent) send(response, 500, { message: 'it failed: ask again with the same nonce' });
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  limitVisitors(server, { ...VISITOR, ...options.limits });
  return await listen(server, { port, host, what: `port ${port} for tickets` });
}

/** As much as a request may have, and one byte more: so that it is refused as too large, and no more of it is kept. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    chunks.push(chunk);
    if (size > MAX_REQUEST) break;
  }
  return Buffer.concat(chunks)
    .subarray(0, MAX_REQUEST + 1)
    .toString('utf8');
}

function send(response: ServerResponse, status: number, body: object): void {
  const headers = {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    ...(status === 413 && { connection: 'close' }),
  };
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
}
