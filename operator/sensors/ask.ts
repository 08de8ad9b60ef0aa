/** One question about a sensor to all nodes that publish theirs, and their answers as one table. */
import { type ClusterReading, planClusterReading } from '../../crds/clusterreading.ts';
import type { Reading } from '../../crds/reading.ts';
import { formatSensorPath } from '../../crds/sensorpath.ts';
import type { PublishedPage, SliceNode } from '../../crds/types.ts';
import { type AskLimits, createFanout } from '../fanout/fanout.ts';
import { planTargets } from '../fanout/plan.ts';
import { parseReading } from './parse.ts';

export interface SensorLimits extends AskLimits {
  /** Rows of all nodes together. */
  maxRows: number;
  /** Bytes of all their answers: whose comes later is not in the table. */
  allBytes: number;
}

export const SENSOR_LIMITS: SensorLimits = {
  concurrency: 32,
  nodeMs: 8_000,
  allMs: 30_000,
  answerBytes: 1024 * 1024,
  maxRows: 100_000,
  allBytes: 32 * 1024 * 1024,
};

export interface SensorAsker {
  /** `parts`: the sensor's name and its arguments; none: which sensors there are. */
  ask(parts: readonly string[], sliceNodes: readonly SliceNode[]): Promise<ClusterReading>;
  close(): Promise<void>;
}

const sensorPage = ({ status }: SliceNode): PublishedPage | undefined => status?.sensorPage;

/** `plan`: where the nodes are. */
export function createSensorAsker(
  limits: SensorLimits = SENSOR_LIMITS,
  plan: typeof planTargets = planTargets,
  now: () => number = Date.now,
): SensorAsker {
  const fanout = createFanout(limits);
  return {
    async ask(parts, sliceNodes) {
      const readings = new Map<string, Reading>();
      let bytes = 0;
      const verdicts = await fanout.ask(plan(sliceNodes, sensorPage), {
        path: formatSensorPath(parts, 'json'),
        take(node, text) {
          bytes += text.length;
          if (bytes > limits.allBytes) throw new Error(`all answers together are larger than ${limits.allBytes} bytes`);
          readings.set(node, parseReading(text));
          return {};
        },
      });
      const answered = verdicts.flatMap(({ node }) => {
        const reading = readings.get(node);
        return reading ? [{ node, reading }] : [];
      });
      const { reading, nodes } = planClusterReading(answered, limits.maxRows, now());
      const told = new Map(nodes.map((one) => [one.node, one]));
      return { ...reading, nodes: verdicts.map((verdict) => told.get(verdict.node) ?? verdict) };
    },
    close: () => fanout.close(),
  };
}
