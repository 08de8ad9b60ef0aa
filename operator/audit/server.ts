/** Answers one question for the whole cluster, over HTTP: `/flows` with the parameters that a node's page has, as JSON or CSV. */
import { type FlowQuery, parseQuery, QueryError } from '../../crds/flowquery.ts';
import { clusterCsv } from '../../crds/flows.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { Listening } from '../../kube/listen.ts';
import type { Log } from '../../kube/log.ts';
import { type Answer, type AskedQuestion, CSV, JSON_TYPE, RefusedError, serveQuestions } from '../fanout/server.ts';
import type { Asker } from './ask.ts';

export interface ClusterAuditOptions {
  /** 0 takes a free one. */
  port: number;
  /** Without it, every address. */
  host?: string | undefined;
  sliceNodes(): readonly SliceNode[];
  asker: Asker;
  log: Log;
  now?: () => number;
}

/** Rejects where the port can't be had. */
export async function serveClusterAudit(options: ClusterAuditOptions): Promise<Listening> {
  const { port, host, log } = options;
  return await serveQuestions({ port, host, log, answer: (question) => answer(options, question) });
}

async function answer(
  { sliceNodes, asker, now = Date.now }: ClusterAuditOptions,
  { path, search, accept, inTurn }: AskedQuestion,
): Promise<Answer> {
  const match = /^\/flows(?:\.(json|csv))?$/.exec(path);
  if (!match) throw new RefusedError(404, 'there are /flows, /flows.json and /flows.csv');
  const ending = match[1];
  const query = parse(search, now());
  const found = await inTurn(() => asker.ask(query, sliceNodes()));
  const isCsv = ending === 'csv' || (ending === undefined && /^text\/csv\b/.test(accept));
  if (isCsv) return { type: CSV, text: clusterCsv(found) };
  return { type: JSON_TYPE, text: `${JSON.stringify(found)}\n` };
}

function parse(search: string, now: number): FlowQuery {
  try {
    return parseQuery(new URLSearchParams(search), now);
  } catch (error) {
    if (error instanceof QueryError) throw new RefusedError(400, error.message);
    throw error;
  }
}
