/**
 * What the node's page asks the node manager, over a Unix socket: HTTP, four paths, JSON. Whoever asks is not trusted: the
 * page serves strangers. So every question is read strictly, and few are answered at a time.
 */
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type FlowQuery, parseQuery, QueryError } from '../../crds/flowquery.ts';
import type { SumAnswer } from '../../crds/flows.ts';
import { answerFlows, answerPairs } from './answer.ts';
import type { FlowLog } from './flowlog.ts';
import { BusyError, createGate, type Gate } from '../../kube/gate.ts';
import { closeServer, listenAtSocket } from '../../kube/listen.ts';

/** What the owner wants published, and where. */
export interface PageSettings {
  node: string;
  /** Undefined: nothing is published. An address of '' is every address of the node. */
  listen: { address: string; port: number } | undefined;
  /** Who answers for the node, and what it is: the owner's words. */
  contact: string;
  description: string;
}

export interface AuditServerOptions {
  /** Its directory is made where it is not there. */
  socket: string;
  /** The group that may ask; undefined: only our own user. */
  group: number | undefined;
  flows: Pick<FlowLog, 'segments' | 'since' | 'notes' | 'sums'>;
  settings(): PageSettings;
  now(): number;
}

/** Questions at a time; each is stopped when this much time has passed, with what it has. */
const CONCURRENT = 2;
const WAITING = 16;
const ANSWER_MS = 4_000;

export async function serveAudit(options: AuditServerOptions): Promise<{ close(): Promise<void> }> {
  const gate = createGate(CONCURRENT, WAITING);
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 8_192 },
    (request, response) => {
      answer(options, gate, request.method, request.url ?? '').then(
        (body) => send(response, 200, body),
        (error: Error) => send(response, statusOf(error), { error: error.message }),
      );
    },
  );
  server.maxConnections = 64;
  await listenAtSocket(server, options.socket, options.group);
  return { close: () => closeServer(server) };
}

class RefusedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function answer(options: AuditServerOptions, gate: Gate, method = '', path: string): Promise<object> {
  if (method !== 'GET') throw new RefusedError(405, 'only GET');
  const { pathname, searchParams } = new URL(path, 'http://node');
  if (pathname === '/settings') return options.settings();
  if (pathname === '/sums') return sums(options);
  if (pathname !== '/flows' && pathname !== '/pairs')
    throw new RefusedError(404, 'there are /settings, /sums, /flows, /pairs');
  const query = parseQuery(searchParams, options.now());
  return gate(() => ask(options, query, pathname === '/flows' ? answerFlows : answerPairs));
}

/** They are kept as sums: whoever asks costs next to nothing. */
function sums({ flows, settings }: AuditServerOptions): SumAnswer {
  const found = flows.sums();
  if (!found) throw new RefusedError(503, 'the record of an earlier run is not read yet');
  return { node: settings().node, ...found };
}

/** Answers one question from the record, in the time that an answer may take. */
export async function ask(
  { flows, settings }: Pick<AuditServerOptions, 'flows' | 'settings'>,
  query: FlowQuery,
  from: typeof answerFlows | typeof answerPairs,
): Promise<object> {
  const clock = (): number => performance.now();
  const deadline = clock() + ANSWER_MS;
  let torn = 0;
  const segments = await flows.segments(query.from, query.to, () => torn++);
  const found = await from({ node: settings().node, query, segments, clock, deadline, pause });
  const notes = flows.notes();
  if (torn > 0) notes.push(`${torn} files of the record could not be read to their ends`);
  return { ...found, ...(flows.since !== undefined && { since: new Date(flows.since).toISOString() }), notes };
}

function statusOf(error: Error): number {
  if (error instanceof QueryError || (error as NodeJS.ErrnoException).code === 'ERR_INVALID_URL') return 400;
  if (error instanceof BusyError) return 503;
  return error instanceof RefusedError ? error.status : 500;
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
