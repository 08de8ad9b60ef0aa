/** The last flows of a slice, from the node's record. Whom a slice talks to is its own business here. */
import type { FlowQuery } from '../../../crds/flowquery.ts';
import { type FlowAnswer, flagNames, protocolName } from '../../../crds/flows.ts';
import type { Column } from '../../../crds/reading.ts';
import { type Asker, SensorError } from '../registry.ts';
import type { Source } from '../source.ts';
import { builtin } from './builtin.ts';

export interface FlowsParts {
  ask(query: FlowQuery): Promise<Pick<FlowAnswer, 'flows'>>;
  now(): number;
}

const HOUR_MS = 3_600_000;
const DEFAULT_ROWS = 100;
const MAX_ROWS = 1_000;

export function flowsSensor({ ask, now }: FlowsParts): Source {
  return builtin(
    {
      name: 'flows',
      description: "A slice's own flows of the last hour, the newest first; 100 of them, or as many as said.",
      columns: COLUMNS,
      arguments: '[namespace/slice[/rows]]',
      access: 'Own',
      async rows(args, asker) {
        const { slice, limit } = questionOf(args, asker);
        const [namespace = '', name = ''] = slice.split('/');
        const to = now() + 1;
        const query: FlowQuery = { namespace, slice: name, from: to - HOUR_MS, to, limit };
        const { flows } = await ask(query);
        return flows.map((flow) => ({
          ...{ kind: flow.kind, first: flow.first, last: flow.last },
          protocol: flow.kind === 'Flow' ? protocolName(flow.protocol) : null,
          ...{ source: flow.source, source_port: flow.sourcePort },
          ...{ destination: flow.destination, destination_port: flow.destinationPort },
          ...{ tcp_flags: flagNames(flow.tcpFlags), packets: flow.packets, bytes: flow.bytes },
        }));
      },
    },
    now,
  );
}

/** Which slice, and how many rows. Pure. Throws SensorError for another's. */
export function questionOf(args: readonly string[], asker: Asker): { slice: string; limit: number } {
  const own = asker.kind === 'sliver' ? asker.slice : undefined;
  const named = args.length >= 2 ? args.slice(0, 2).join('/') : own;
  const rows = args.length >= 2 ? args[2] : args[0];
  if (args.length > 3 || named === undefined) {
    throw new SensorError('BadArguments', 'give <namespace>/<slice>, and how many rows if need be');
  }
  if (own !== undefined && named !== own) {
    throw new SensorError(
      'Forbidden',
      `flows tells a slice of its own only: ${own}; who sent what is the audit page's`,
    );
  }
  const limit = rows === undefined ? DEFAULT_ROWS : Number(rows);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_ROWS) {
    throw new SensorError('BadArguments', `the number of rows must be 1 to ${MAX_ROWS}`);
  }
  return { slice: named, limit };
}

const COLUMNS: readonly Column[] = [
  { name: 'kind', type: 'string', help: 'Flow; Overflow: what was beyond the flows that are told apart.' },
  { name: 'first', type: 'time' },
  { name: 'last', type: 'time' },
  { name: 'protocol', type: 'string' },
  { name: 'source', type: 'string' },
  { name: 'source_port', type: 'integer' },
  { name: 'destination', type: 'string' },
  { name: 'destination_port', type: 'integer', help: 'Of ICMP, type * 256 + code.' },
  { name: 'tcp_flags', type: 'string' },
  { name: 'packets', type: 'integer' },
  { name: 'bytes', type: 'integer', unit: 'bytes', help: 'As they were on the wire, at layer 2.' },
];
