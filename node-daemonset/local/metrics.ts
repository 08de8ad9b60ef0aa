/** Slivers' requests over their local API, counted. */
import { Counter, type Registry } from 'prom-client';
import type { Operation } from './calls.ts';
import type { LocalCode } from './refusal.ts';

/** Of what is refused before it is known what it is. */
export type Counted = Operation | 'Connect' | 'Unknown';
export type CountLocal = (operation: Counted, code: 'Done' | LocalCode) => void;

const REFUSED_BY_NODE = ['NotYours', 'NotPrivileged', 'TooManyRequests'] as const;

/** The series that a node's owner will want to see at 0 are there from the start. */
export function countLocal(registry: Registry): CountLocal {
  const requests = new Counter({
    name: 'slice_node_local_requests_total',
    help: 'Requests of slivers over their local API, by what they asked for and what became of it',
    labelNames: ['operation', 'code'],
    registers: [registry],
  });
  requests.inc({ operation: 'Connect', code: 'NotYours' }, 0);
  for (const code of REFUSED_BY_NODE.slice(1)) requests.inc({ operation: 'Unknown', code }, 0);
  return (operation, code) => requests.inc({ operation, code });
}
