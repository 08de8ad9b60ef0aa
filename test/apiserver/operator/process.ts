/** The operator as a test runs it: with a recorder of its writes, faults on demand, and a clock that can be moved. */
import type { ApiClient } from '../../../kube/client.ts';
import { ApiError } from '../../../kube/errors.ts';
import { silentLog } from '../../../kube/log.ts';
import { createMetrics } from '../../../kube/metrics.ts';
import type { RequestOptions } from '../../../kube/transport.ts';
import { readControllers } from '../../../operator/controllers.ts';
import { SliceOperator } from '../../../operator/operator.ts';
import type { SiteShares } from '../../../operator/site/sites.ts';
import type { Readings } from '../../../operator/watchdog/readings.ts';
import type { ApiServer } from '../fixture.ts';
import { RELEASE } from './world.ts';

export interface Write {
  method: string;
  path: string;
}

/** Where a process dies: at its n-th write (from 1), before the server has seen it or after. */
export interface Crash {
  at: number;
  when: 'before' | 'after';
}

export interface Process {
  /** Writes that the server accepted. */
  writes: Write[];
  /** `about`: the object's name. */
  events: { reason: string; message: string; about: string }[];
  /** The nodes that are asked what all nodes are asked. */
  asked(): string[];
  /** Resolves when the process has died as it was told to. */
  crashed: Promise<void>;
  stop(): Promise<void>;
}

export interface ProcessOptions {
  crash?: Crash;
  /** Added to both clocks, in ms. */
  offset?: () => number;
  statusIntervalMs?: number;
  /** As on the command line; all by default. */
  controllers?: string;
  /** What sites may hold; no pools by default. */
  siteShares?: SiteShares;
  /** Requests that the API server answers with 403, by their path. */
  forbids?: (path: string) => boolean;
  /** What nodes say to watchdogs; nothing by default. */
  readings?: Readings;
}

export async function startProcess(server: ApiServer, options: ProcessOptions = {}): Promise<Process> {
  const writes: Write[] = [];
  const events: Process['events'] = [];
  const crashed = Promise.withResolvers<void>();
  const real = await server.connect();
  const allowed = options.forbids ? forbidding(real, options.forbids) : real;
  const client = watchedClient(allowed, writes, options.crash, crashed.resolve);
  const offset = options.offset ?? (() => 0);
  const operator = new SliceOperator({
    client,
    recorder: {
      record: ({ metadata }, _type, reason, message) => events.push({ reason, message, about: metadata.name }),
    },
    log: silentLog(),
    metrics: createMetrics(),
    clock: { wall: () => Date.now() + offset(), monotonic: () => performance.now() + offset() },
    releaseNamespace: RELEASE,
    controllers: readControllers(options.controllers ?? '*'),
    ...(options.siteShares && { siteShares: options.siteShares }),
    readings: options.readings ?? { read: () => Promise.resolve([]) },
    statusIntervalMs: options.statusIntervalMs ?? 20,
  });
  await operator.start();
  operator.work();
  return {
    writes,
    events,
    asked: () => operator.sliceNodes.map(({ metadata }) => metadata.name),
    crashed: crashed.promise,
    async stop() {
      operator.stop();
      await operator.finished();
      await real.close();
    },
  };
}

/** The same client, but that it notes writes, and from the crash on does nothing any more. */
export function watchedClient(
  real: ApiClient,
  writes: Write[],
  crash: Crash | undefined,
  onCrash: () => void,
): ApiClient {
  let count = 0;
  let dead = false;
  async function request(method: string, path: string, options?: RequestOptions): Promise<unknown> {
    if (dead) throw new Error('the process is dead');
    if (method === 'GET') return await real.request(method, path, options);
    const last = ++count === crash?.at;
    const die = (): never => {
      dead = true;
      onCrash();
      throw new Error('the process died');
    };
    if (last) dead = true; // nothing else gets out beside the last write
    if (last && crash?.when === 'before') die();
    try {
      const answer = await real.request(method, path, options);
      writes.push({ method, path });
      if (!last) return answer;
    } catch (error) {
      // it dies at a write that the server refuses, too
      if (!last) throw error;
    }
    return die();
  }
  return new Proxy(real, {
    get(target, property) {
      if (property === 'request') return request;
      if (property === 'stream') return target.stream.bind(target);
      return Reflect.get(target, property, target) as unknown;
    },
  });
}

/** The same client, with fewer rights. */
function forbidding(real: ApiClient, forbids: (path: string) => boolean): ApiClient {
  async function request(method: string, path: string, options?: RequestOptions): Promise<unknown> {
    if (!forbids(path)) return await real.request(method, path, options);
    throw new ApiError(`${method} ${path}`, 403, JSON.stringify({ reason: 'Forbidden', message: 'forbidden' }));
  }
  return new Proxy(real, {
    get(target, property) {
      if (property === 'request') return request;
      if (property === 'stream') return target.stream.bind(target);
      return Reflect.get(target, property, target) as unknown;
    },
  });
}
