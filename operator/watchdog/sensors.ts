/** The sensors that nodes publish, as the operator asks all of them: what each says, and nothing of any other's. */
import type { SliceNode } from '../../crds/types.ts';
import type { SensorAsker } from '../sensors/ask.ts';
import type { NodeReading, Readings } from './readings.ts';

export function createSensorReadings(
  asker: Pick<SensorAsker, 'askEach'>,
  sliceNodes: () => readonly SliceNode[],
): Readings {
  return {
    async read(sensor, args) {
      const answers = await asker.askEach([sensor, ...args], sliceNodes());
      return answers.map(({ node, result, error, reading }): NodeReading => {
        if (reading) return { node, reading };
        return { node, error: result === 'NotPublished' ? 'publishes no sensors' : `failed: ${error}` };
      });
    },
  };
}
