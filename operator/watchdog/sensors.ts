/** The sensors that nodes publish, as the operator asks all of them: each node's part of the one table. */
import type { Cell } from '../../crds/reading.ts';
import type { SliceNode } from '../../crds/types.ts';
import type { SensorAsker } from '../sensors/ask.ts';
import type { NodeReading, Readings } from './readings.ts';

export function createSensorReadings(
  asker: Pick<SensorAsker, 'ask'>,
  sliceNodes: () => readonly SliceNode[],
): Readings {
  return {
    async read(sensor, args) {
      const { columns, rows, nodes, time } = await asker.ask([sensor, ...args], sliceNodes());
      // the first column is the node's name
      const byNode = new Map<Cell, Cell[][]>();
      for (const [node = null, ...row] of rows) {
        const own = byNode.get(node);
        if (own) own.push(row);
        else byNode.set(node, [row]);
      }
      return nodes.map(({ node, result, error, truncated }): NodeReading => {
        if (result === 'NotPublished') return { node, error: 'publishes no sensors' };
        if (result === 'Failed') return { node, error: `failed: ${error}` };
        const reading = { columns: columns.slice(1), rows: byNode.get(node) ?? [], time };
        return { node, reading, ...(truncated && { cut: true }) };
      });
    },
  };
}
