/** Answers one question for the whole cluster, over HTTP: `/flows` with the parameters that a node's page has, as JSON or CSV. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseQuery, QueryError } from '../../crds/flowquery.ts';
import { clusterCsv } from '../../crds/flows.ts';
import type { SliceNode } from '../../crds/types.ts';
import { BusyError, createGate } from '../../kube/gate.ts';
import type { Log } from '../../kube/log.ts';
import type { Asker } from './ask.ts';

export interface ClusterAuditOptions {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string;
  sliceNodes(): readonly SliceNode[];
  asker: Asker;
  log: Log;
  now?: () => number;
}

/** A question goes to every node: few at a time. */
const CONCURRENT = 2;
const WAITING = 8;
const MAX_URL = 2_048;

/** Rejects where the port can't be had. */
export async function serveClusterAudit(
  options: ClusterAuditOptions,
): Promise<{ port: number; close(): Promise<void> }> {
  const gate = createGate(CONCURRENT, WAITING);
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const { method = '', url = '', headers } = request;
      answer(options, gate, method, url, headers.accept ?? '').then(
        ({ type, text }) => send(response, 200, type, text),
        (error: Error) => {
          const status = statusOf(error);
          if (status === 500) options.log.error({ err: error }, 'a question about flows failed');
          send(response, status, 'text/plain; charset=utf-8', `${status === 500 ? 'it failed' : error.message}\n`);
        },
      );
    },
  );
  server.maxConnections = 64;
  server.setTimeout(60_000);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`port ${options.port} can't be had: ${error.message}`)));
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class RefusedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function answer(
  { sliceNodes, asker, now = Date.now }: ClusterAuditOptions,
  gate: ReturnType<typeof createGate>,
  method: string,
  url: string,
  accept: string,
): Promise<{ type: string; text: string }> {
  if (method !== 'GET' && method !== 'HEAD') throw new RefusedError(405, 'only GET and HEAD');
  if (url.length > MAX_URL) throw new RefusedError(414, `an address of more than ${MAX_URL} characters`);
  const [path = '', search = ''] = url.split('?', 2);
  const match = /^\/flows(?:\.(json|csv))?$/.exec(path);
  if (!match) throw new RefusedError(404, 'there are /flows, /flows.json and /flows.csv');
  const ending = match[1];
  const query = parseQuery(new URLSearchParams(search), now());
  const found = await gate(() => asker.ask(query, sliceNodes()));
  const isCsv = ending === 'csv' || (ending === undefined && /^text\/csv\b/.test(accept));
  if (isCsv) return { type: 'text/csv; charset=utf-8; header=present', text: clusterCsv(found) };
  return { type: 'application/json', text: `${JSON.stringify(found)}\n` };
}

function statusOf(error: Error): number {
  if (error instanceof QueryError) return 400;
  if (error instanceof BusyError) return 503;
  return error instanceof RefusedError ? error.status : 500;
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const headers = { 'content-type': type, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(text);
}
