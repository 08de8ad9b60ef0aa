/** /healthz, /readyz, /metrics and what else a process shows, over HTTP: GET only, small, bounded in connections and time. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Registry } from 'prom-client';
import { listen, type Listening } from './listen.ts';
import { limitVisitors } from './visitors.ts';

export interface HealthOptions {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string;
  registry: Registry;
  /** Undefined where all is well, else what is not. */
  live?: () => string | undefined;
  ready: () => string | undefined;
  /** JSON documents by path, for this machine alone; each made when it is asked for, at a cost that its maker bounds. */
  documents?: Readonly<Record<string, () => string | Promise<string>>>;
  /** More in Prometheus's text format than the registry has; it comes after it. */
  more?: () => string | Promise<string>;
}

/** Rejects where the port can't be had. */
export async function serveHealth(options: HealthOptions): Promise<Listening> {
  const { documents = {} } = options;
  const metrics = shared(() => scrape(options));
  const server = createServer(
    // the timeouts are kept only as often as connections are looked at: every 30 s by default
    { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 30_000, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      const send = (status: number, body: string | Buffer, type = 'text/plain; charset=utf-8') =>
        response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body);
      const check = (problem: string | undefined) =>
        problem === undefined ? send(200, 'ok\n') : send(503, `${problem}\n`);
      const answer = (text: () => string | Buffer | Promise<string | Buffer>, type: string): void =>
        void Promise.try(text).then(
          (body) => send(200, body, type),
          (error: Error) => send(500, `${error.message}\n`),
        );
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        send(405, 'only GET and HEAD\n');
        return;
      }
      const path = request.url?.split('?')[0] ?? '';
      switch (path) {
        case '/healthz':
          check(options.live?.());
          return;
        case '/readyz':
          check(options.ready());
          return;
        case '/metrics':
          answer(metrics, options.registry.contentType);
          return;
        default:
          if (Object.hasOwn(documents, path) && !isLocal(request.socket)) send(403, 'only from this machine\n');
          else if (Object.hasOwn(documents, path)) answer(documents[path]!, 'application/json');
          else send(404, `there are ${['/healthz', '/readyz', '/metrics', ...Object.keys(documents)].join(', ')}\n`);
      }
    },
  );
  // the kubelet's probes come one at a time: neither strangers nor what Prometheus takes keep them out
  limitVisitors(server, { connections: 64, connectionsEach: 8 });
  const { port, host } = options;
  return await listen(server, { port, host, what: `port ${port} for health and metrics` });
}

/** A scrape may be megabytes: what is being made, or was a moment ago, is made and kept once for all who ask. */
export const SHARED_MS = 500;

function shared(make: () => Promise<string>): () => Promise<Buffer> {
  let made: { at: number; bytes: Promise<Buffer> } | undefined;
  return () => {
    if (made && performance.now() - made.at < SHARED_MS) return made.bytes;
    const one = { at: Infinity, bytes: make().then((text) => Buffer.from(text)) };
    made = one;
    one.bytes.finally(() => (one.at = performance.now())).catch(() => undefined);
    return one.bytes;
  };
}

async function scrape({ registry, more }: HealthOptions): Promise<string> {
  const text = await registry.metrics();
  return more ? text + (await more()) : text;
}

/** Whether whoever asks is on this machine: it speaks from the address to which it speaks. */
function isLocal({ localAddress, remoteAddress }: Socket): boolean {
  return remoteAddress !== undefined && remoteAddress === localAddress;
}
