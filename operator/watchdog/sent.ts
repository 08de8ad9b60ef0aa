/** The sensor `sent` of every node: what each slice sent, from the pages on which nodes publish who sent what. */
import type { Column } from '../../crds/reading.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { Asker } from '../audit/ask.ts';
import type { NodeReading, Readings } from './readings.ts';

/** No sensor of a node's own is called so. */
export const SENT = 'sent';

const COLUMNS: readonly Column[] = [
  { name: 'namespace', type: 'string', help: 'Namespace of the slice' },
  { name: 'slice', type: 'string', help: 'Name of the slice' },
  { name: 'since', type: 'string', help: 'When the hour began: a slice has a counter for each' },
  { name: 'bytes', type: 'integer', unit: 'bytes', metric: 'counter', help: 'Sent at layer 2 in that hour' },
  { name: 'packets', type: 'integer', metric: 'counter', help: 'Sent in that hour' },
];

export function createSentReadings(
  asker: Pick<Asker, 'askSums'>,
  sliceNodes: () => readonly SliceNode[],
  now = Date.now,
): Readings {
  return {
    async read(_sensor, args) {
      if (args.length > 0) throw new Error(`${SENT} takes no arguments`);
      const answers = await asker.askSums(sliceNodes());
      const time = now();
      return answers.map(({ node, result, error, sums, truncated }): NodeReading => {
        if (!sums) return { node, error: result === 'NotPublished' ? 'publishes no page' : `failed: ${error}` };
        const rows = sums.map((one) => [one.namespace, one.slice, one.since, one.bytes, one.packets]);
        return { node, reading: { columns: COLUMNS, rows, time }, ...(truncated && { cut: true }) };
      });
    },
  };
}
