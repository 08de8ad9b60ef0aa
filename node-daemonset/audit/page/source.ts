/** Asks the node manager, over its Unix socket. */
import { request } from 'node:http';
import { type FlowQuery, formatQuery } from '../../../crds/flowquery.ts';
import type { FlowAnswer, PairAnswer, SumAnswer } from '../../../crds/flows.ts';
import type { PageSettings } from '../server.ts';
import { HttpError } from './route.ts';

export interface Source {
  settings(): Promise<PageSettings>;
  flows(query: FlowQuery): Promise<FlowAnswer>;
  pairs(query: FlowQuery): Promise<PairAnswer>;
  sums(): Promise<SumAnswer>;
}

const TIMEOUT_MS = 8_000;
const MAX_ANSWER = 16 * 1024 * 1024;

/** Every call rejects with an HttpError: 502 where the node manager does not answer, else what it answered. */
export function openSource(socketPath: string): Source {
  const ask = <T>(path: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const fail = (what: string): void => reject(new HttpError(502, `the node manager ${what}: try again later`));
      const asked = request({ socketPath, path, timeout: TIMEOUT_MS, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > MAX_ANSWER) answer.destroy(new Error('too large'));
        });
        answer.on('error', () => fail('broke off its answer'));
        answer.on('end', () => {
          try {
            const body = JSON.parse(Buffer.concat(chunks).toString()) as T & { error?: string };
            if (answer.statusCode === 200) resolve(body);
            else reject(new HttpError(answer.statusCode ?? 502, body.error ?? 'refused'));
          } catch {
            fail('answers something else');
          }
        });
      });
      asked.on('timeout', () => asked.destroy(new Error('late')));
      asked.on('error', () => fail('does not answer'));
      asked.end();
    });
  return {
    settings: () => ask('/settings'),
    sums: () => ask('/sums'),
    flows: (query) => ask(`/flows?${formatQuery(query).toString()}`),
    pairs: (query) => ask(`/pairs?${formatQuery(query).toString()}`),
  };
}
