/** Takes questions for the whole cluster over HTTP: GET and HEAD, small, few at a time, since each goes to every node. */
import { createServer, type ServerResponse } from 'node:http';
import { VIA } from './fanout.ts';
import { BusyError, createGate, type Gate } from '../../kube/gate.ts';
import { listen, type Listening } from '../../kube/listen.ts';
import type { Log } from '../../kube/log.ts';
import { limitVisitors } from '../../kube/visitors.ts';

export interface AskedQuestion {
  path: string;
  /** What comes after the question mark. */
  search: string;
  accept: string;
  /** What goes to the nodes waits for its turn; it is refused when too much waits. */
  inTurn: Gate;
}

export interface Answer {
  type: string;
  text: string;
}

export const CSV = 'text/csv; charset=utf-8; header=present';
export const JSON_TYPE = 'application/json';

/** Why there is no answer, for whoever asked. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface QuestionServerOptions {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string | undefined;
  /** Rejects with RefusedError where the question is at fault. */
  answer(question: AskedQuestion): Promise<Answer>;
  log: Log;
}

const CONCURRENT = 2;
const WAITING = 8;
const MAX_URL = 2_048;

/** Rejects where the port can't be had. */
export async function serveQuestions(options: QuestionServerOptions): Promise<Listening> {
  const { port, host, log } = options;
  const inTurn = createGate(CONCURRENT, WAITING);
  const ask = async (method: string, url: string, accept: string): Promise<Answer> => {
    if (method !== 'GET' && method !== 'HEAD') throw new RefusedError(405, 'only GET and HEAD');
    if (url.length > MAX_URL) throw new RefusedError(414, `an address of more than ${MAX_URL} characters`);
    const [path = '', search = ''] = url.split('?', 2);
    return await options.answer({ path, search, accept, inTurn });
  };
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 8_192 },
    ({ method = '', url = '', headers }, response) => {
      const asked = headers.via?.includes(VIA)
        ? Promise.reject(new RefusedError(508, 'this question comes from here: a node says that it is where we are'))
        : ask(method, url, headers.accept ?? '');
      asked.then(
        ({ type, text }) => send(response, 200, type, text),
        (error: Error) => {
          const status = statusOf(error);
          if (status === 500) log.error({ err: error }, 'a question to all nodes failed');
          send(response, status, 'text/plain; charset=utf-8', `${status === 500 ? 'it failed' : error.message}\n`);
        },
      );
    },
  );
  limitVisitors(server, { connections: 64, connectionsEach: 16 });
  server.setTimeout(60_000);
  return await listen(server, { port, host, what: `port ${port}` });
}

function statusOf(error: Error): number {
  if (error instanceof BusyError) return 503;
  return error instanceof RefusedError ? error.status : 500;
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const headers = { 'content-type': type, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(text);
}
