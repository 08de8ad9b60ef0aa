/** Metrics under the names that controller-runtime and client-go made familiar, so that existing dashboards fit. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Result } from './workers.ts';
import type { WorkQueue } from './workqueue.ts';

const RESULTS: readonly Result[] = ['success', 'requeue_after', 'error', 'conflict', 'terminal', 'fenced'];
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface KubeMetrics {
  registry: Registry;
  onRequest: (verb: string, status: number) => void;
  setLeading: (name: string, leading: boolean) => void;
  /** For each controller once: its queue is watched and its series start at 0. */
  controller: (name: string, queue: WorkQueue) => { onResult: (result: Result, seconds: number) => void };
}

export function createMetrics(): KubeMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // gauges that are called as counters are; what they add up is there by type, too
  for (const one of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${one}_total`);
  const registers = [registry];
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by controller and result',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed, by controller; conflicts with newer objects are none',
    labelNames: ['controller'],
    registers,
  });
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'How long reconciles took, in seconds',
    labelNames: ['controller'],
    buckets: SECONDS,
    registers,
  });
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by method and status code; code 0 where there was no answer',
    labelNames: ['method', 'code'],
    registers,
  });
  const leading = new Gauge({
    name: 'leader_election_master_status',
    help: '1 where this process leads, 0 where it stands by',
    labelNames: ['name'],
    registers,
  });
  const queues = new Map<string, WorkQueue>();
  const ofQueues = (name: string, help: string, read: (queue: WorkQueue) => number) => {
    const gauge: Gauge<'name'> = new Gauge({
      name,
      help,
      labelNames: ['name'],
      registers,
      collect: () => queues.forEach((queue, name) => gauge.set({ name }, read(queue))),
    });
  };
  ofQueues('workqueue_depth', 'Keys that wait in the queue', (queue) => queue.depth);
  ofQueues('workqueue_active', 'Keys that are being worked on', (queue) => queue.active);
  ofQueues(
    'workqueue_longest_running_processor_seconds',
    'How long the reconcile that has run longest has run so far, in seconds',
    (queue) => queue.longestMs / 1000,
  );
  const adds: Counter<'name'> = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys that came to wait in the queue',
    labelNames: ['name'],
    registers,
    collect() {
      adds.reset();
      for (const [name, queue] of queues) adds.inc({ name }, queue.added);
    },
  });
  return {
    registry,
    onRequest: (method, code) => requests.inc({ method, code: String(code) }),
    setLeading: (name, is) => leading.set({ name }, is ? 1 : 0),
    controller(controller, queue) {
      queues.set(controller, queue);
      for (const result of RESULTS) reconciles.inc({ controller, result }, 0);
      errors.inc({ controller }, 0);
      return {
        onResult(result, took) {
          reconciles.inc({ controller, result });
          if (result === 'error' || result === 'terminal') errors.inc({ controller });
          seconds.observe({ controller }, took);
        },
      };
    },
  };
}
