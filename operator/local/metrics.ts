/** What became of slivers' requests, as Prometheus metrics. */
import { Counter, type Registry } from 'prom-client';
import { LocalReason } from '../../crds/localrequest.ts';
import type { LocalRequest } from '../../crds/types.ts';

export type LocalResult = 'Done' | LocalReason;
export type CountLocal = (operation: LocalRequest['operation'], result: LocalResult) => void;

const OPERATIONS: readonly LocalRequest['operation'][] = ['Acquire', 'Split', 'Bind', 'Release'];

/** Every series starts at 0. */
export function countLocal(registry: Registry): CountLocal {
  const requests = new Counter({
    name: 'slice_operator_local_requests_total',
    help: 'What slivers asked for over their nodes’ local API, by what became of it',
    labelNames: ['operation', 'result'],
    registers: [registry],
  });
  for (const operation of OPERATIONS) {
    for (const result of ['Done', ...Object.values(LocalReason)]) requests.inc({ operation, result }, 0);
  }
  return (operation, result) => requests.inc({ operation, result });
}
