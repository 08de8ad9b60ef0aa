/** One question to all nodes: so many at a time, each bounded in time and size, whoever fails named with its error. */
import { Agent, type Dispatcher } from 'undici';
import type { Target, Targets } from './plan.ts';
import { cut } from '../../crds/text.ts';

export interface AskLimits {
  /** Nodes at a time. */
  concurrency: number;
  /** ms for one node, and for all of them: who was not asked by then is not. */
  nodeMs: number;
  allMs: number;
  /** Bytes of one node's answer. */
  answerBytes: number;
}

/** In every question of ours: one that comes back to us was led in a circle, by a node that says it is where we are. */
export const VIA = '1.1 slice-operator';

/** What became of the question to one node. */
export interface Verdict {
  node: string;
  result: 'Answered' | 'NotPublished' | 'Failed';
  error?: string;
}

export interface Question<T extends object> {
  path: string;
  /** Takes one node's answer, whole and as JSON; throws where it makes no sense. What it returns goes into the verdict. */
  take(node: string, text: string): T;
}

export interface Fanout {
  /** By the nodes' names. */
  ask<T extends object>(targets: Targets, question: Question<T>): Promise<(Verdict & Partial<T>)[]>;
  close(): Promise<void>;
}

export function createFanout(limits: AskLimits): Fanout {
  const agent = new Agent({ connections: 1, allowH2: false, connect: { timeout: 2_000 }, keepAliveTimeout: 4_000 });
  return {
    async ask<T extends object>({ asked, left }: Targets, { path, take }: Question<T>) {
      type Told = Verdict & Partial<T>;
      const verdicts = left.map(({ node, error }) => {
        const told: Verdict =
          error === undefined ? { node, result: 'NotPublished' } : { node, result: 'Failed', error };
        return told as Told;
      });
      const ended = AbortSignal.timeout(limits.allMs);
      const queue = [...asked];
      const work = async (): Promise<void> => {
        for (let target = queue.shift(); target; target = queue.shift()) {
          const { node } = target;
          try {
            if (ended.aborted) throw new Error('there was no time left to ask it');
            const signal = AbortSignal.any([ended, AbortSignal.timeout(limits.nodeMs)]);
            const more = take(node, await read(agent, target, path, limits.answerBytes, signal));
            verdicts.push({ node, result: 'Answered', ...more });
          } catch (error) {
            verdicts.push({ node, result: 'Failed', error: reasonOf(error as Error) } as Told);
          }
        }
      };
      await Promise.all(Array.from({ length: limits.concurrency }, work));
      return verdicts.toSorted((a, b) => (a.node < b.node ? -1 : 1));
    },
    close: () => agent.destroy(),
  };
}

async function read(
  dispatcher: Dispatcher,
  { origin }: Target,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const headers = { accept: 'application/json', 'user-agent': 'slice-operator', via: VIA };
  const { statusCode, headers: got, body } = await dispatcher.request({ origin, path, method: 'GET', headers, signal });
  if (statusCode !== 200) {
    leave(body);
    throw new Error(statusText(statusCode));
  }
  if (String(got['content-type']).startsWith('application/x-ndjson')) {
    leave(body);
    throw new Error('it streams, without an end: ask the node itself');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`its answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** What comes is not wanted: the connection ends, and that is no error of anybody's. */
function leave(body: Dispatcher.ResponseData['body']): void {
  body.on('error', () => undefined).destroy();
}

function statusText(status: number): string {
  if (status === 404) return 'it answered 404: it knows no such thing';
  if (status === 403) return 'it answered 403: it tells this to slivers only';
  if (status === 508) return 'its status names an address of our own';
  if (status === 503) return 'it answered 503: it is busy, ask again';
  return `it answered ${status}`;
}

/** Of what a node sent nothing is repeated. */
function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return 'it did not answer in time';
  if (error instanceof SyntaxError) return 'its answer is not JSON';
  return cut(error.message, 200);
}
