/** The sensor `sent` of every node: what each slice sent, from the pages on which nodes publish who sent what. */
import { MAX_LIMIT } from '../../crds/flowquery.ts';
import type { Column } from '../../crds/reading.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { Asker } from '../audit/ask.ts';
import type { NodeReading, Readings } from './readings.ts';

/** No sensor of a node's own is called so. */
export const SENT = 'sent';

/** Nodes begin a file of flows at every full ten minutes: so what is asked for begins with one, too. */
const HOUR_MS = 3_600_000;

const COLUMNS: readonly Column[] = [
  { name: 'namespace', type: 'string', help: 'Namespace of the slice' },
  { name: 'slice', type: 'string', help: 'Name of the slice' },
  { name: 'bytes', type: 'integer', unit: 'bytes', metric: 'counter', help: 'Sent at layer 2 since the hour began' },
  { name: 'packets', type: 'integer', metric: 'counter', help: 'Sent since the hour began' },
];

/** Both counters begin anew with each hour. */
export function createSentReadings(asker: Asker, sliceNodes: () => readonly SliceNode[], now = Date.now): Readings {
  return {
    async read(_sensor, args) {
      if (args.length > 0) throw new Error(`${SENT} takes no arguments`);
      const time = now();
      const from = time - (time % HOUR_MS);
      const { nodes, flows, truncated } = await asker.ask({ from, to: time + 1, limit: MAX_LIMIT }, sliceNodes());
      const byNode = Map.groupBy(flows, ({ node }) => node);
      return nodes.map((answer): NodeReading => {
        const { node, result, error } = answer;
        if (result === 'NotPublished') return { node, error: 'publishes no page' };
        if (result === 'Failed') return { node, error: `failed: ${error}` };
        const rows = sumRows(byNode.get(node) ?? []);
        const cut = truncated !== undefined || answer.truncated !== undefined;
        return { node, reading: { columns: COLUMNS, rows, time }, ...(cut && { cut }) };
      });
    },
  };
}

interface Sent {
  namespace: string;
  slice: string;
  bytes: number;
  packets: number;
}

function sumRows(flows: readonly Sent[]): (string | number)[][] {
  const sums = new Map<string, Sent>();
  for (const { namespace, slice, bytes, packets } of flows) {
    if (slice === '') continue;
    const sum = sums.get(`${namespace}/${slice}`) ?? { namespace, slice, bytes: 0, packets: 0 };
    sum.bytes += bytes;
    sum.packets += packets;
    sums.set(`${namespace}/${slice}`, sum);
  }
  return [...sums.values()].map(({ namespace, slice, bytes, packets }) => [namespace, slice, bytes, packets]);
}
