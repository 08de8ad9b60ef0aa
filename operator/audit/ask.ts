/** One question to all nodes: so many at a time, each bounded in time and size, whoever fails named with its error. */
import { Agent, type Dispatcher } from 'undici';
import { type FlowQuery, formatQuery, formatTime } from '../../crds/flowquery.ts';
import type { ClusterAnswer, FlowRow, NodeAnswer } from '../../crds/flows.ts';
import type { SliceNode } from '../../crds/types.ts';
import { parseAnswer } from './parse.ts';
import { planTargets, type Target } from './plan.ts';

export interface AskLimits {
  /** Nodes at a time. */
  concurrency: number;
  /** ms for one node, and for all of them: who was not asked by then is not. */
  nodeMs: number;
  allMs: number;
  /** Bytes of one node's answer. */
  answerBytes: number;
}

export const ASK_LIMITS: AskLimits = { concurrency: 32, nodeMs: 8_000, allMs: 30_000, answerBytes: 8 * 1024 * 1024 };

export interface Asker {
  ask(query: FlowQuery, sliceNodes: readonly SliceNode[]): Promise<ClusterAnswer>;
  close(): Promise<void>;
}

type Row = FlowRow & { node: string };

/** `plan`: where the nodes are. */
export function createAsker(limits: AskLimits = ASK_LIMITS, plan: typeof planTargets = planTargets): Asker {
  const agent = new Agent({ connections: 1, allowH2: false, connect: { timeout: 2_000 }, keepAliveTimeout: 4_000 });
  return {
    async ask(query, sliceNodes) {
      const { asked, left } = plan(sliceNodes);
      const nodes: NodeAnswer[] = left.map(({ node, error }) =>
        error === undefined ? { node, result: 'NotPublished' } : { node, result: 'Failed', error },
      );
      const ended = AbortSignal.timeout(limits.allMs);
      const queue = [...asked];
      let rows: Row[] = [];
      let cut = false;
      const work = async (): Promise<void> => {
        for (let target = queue.shift(); target; target = queue.shift()) {
          const { node } = target;
          try {
            if (ended.aborted) throw new Error('there was no time left to ask it');
            const signal = AbortSignal.any([ended, AbortSignal.timeout(limits.nodeMs)]);
            const { flows, ...rest } = parseAnswer(await read(agent, target, query, limits, signal), query.limit);
            nodes.push({ node, result: 'Answered', ...rest });
            for (const row of flows) rows.push({ node, ...row });
            // many nodes with many rows each: only the best are kept
            if (rows.length > query.limit * 2) {
              rows = best(rows, query.limit);
              cut = true;
            }
          } catch (error) {
            nodes.push({ node, result: 'Failed', error: reasonOf(error as Error) });
          }
        }
      };
      await Promise.all(Array.from({ length: limits.concurrency }, work));
      const flows = best(rows, query.limit);
      return {
        from: formatTime(query.from),
        to: formatTime(query.to),
        nodes: nodes.toSorted((a, b) => (a.node < b.node ? -1 : 1)),
        ...((cut || rows.length > flows.length) && { truncated: 'Rows' as const }),
        flows,
      };
    },
    close: () => agent.destroy(),
  };
}

async function read(
  dispatcher: Dispatcher,
  { origin }: Target,
  query: FlowQuery,
  { answerBytes }: AskLimits,
  signal: AbortSignal,
): Promise<string> {
  const path = `/flows.json?${formatQuery(query).toString()}`;
  const headers = { accept: 'application/json', 'user-agent': 'slice-operator' };
  const { statusCode, body } = await dispatcher.request({ origin, path, method: 'GET', headers, signal });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerBytes) throw new Error(`its answer is larger than ${answerBytes} bytes`);
    chunks.push(chunk);
  }
  if (statusCode !== 200) throw new Error(`it answered ${statusCode}`);
  return Buffer.concat(chunks).toString();
}

/** As a node orders its own. */
function best(rows: readonly Row[], limit: number): Row[] {
  const untold = ({ kind }: Row): number => (kind === 'Flow' ? 0 : kind === 'Overflow' ? 1 : 2);
  return rows
    .toSorted((a, b) => untold(a) - untold(b) || (a.last < b.last ? 1 : a.last > b.last ? -1 : b.bytes - a.bytes))
    .slice(0, limit);
}

/** Of what a node sent nothing is repeated. */
function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return 'it did not answer in time';
  if (error instanceof SyntaxError) return 'its answer is not JSON';
  return error.message.slice(0, 200);
}
