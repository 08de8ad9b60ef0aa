/** One question about a sensor to all nodes that publish theirs, and their answers as one table. */
import { type ClusterReading, planClusterReading } from '../../crds/clusterreading.ts';
import type { Reading } from '../../crds/reading.ts';
import { formatSensorPath } from '../../crds/sensorpath.ts';
import type { PublishedPage, SliceNode } from '../../crds/types.ts';
import { type AskLimits, createFanout, type Verdict } from '../fanout/fanout.ts';
import { planTargets } from '../fanout/plan.ts';
import { parseReading } from './parse.ts';

export interface SensorLimits extends AskLimits {
  /** Rows of all nodes together. */
  maxRows: number;
  /** Bytes of all their answers. Each node has an equal part of them; what is more comes in while there is room. */
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
  /** What each node says, by itself: nothing that one says takes anything from what another does. */
  askEach(parts: readonly string[], sliceNodes: readonly SliceNode[]): Promise<(Verdict & { reading?: Reading })[]>;
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
  const askEach: SensorAsker['askEach'] = async (parts, sliceNodes) => {
    const targets = plan(sliceNodes, sensorPage);
    const part = limits.allBytes / Math.max(1, targets.asked.length);
    let bytes = 0;
    return await fanout.ask(targets, {
      path: formatSensorPath(parts, 'json'),
      take(_node, text) {
        bytes += text.length;
        if (text.length > part && bytes > limits.allBytes) {
          throw new Error(`all answers together are larger than ${limits.allBytes} bytes`);
        }
        return { reading: parseReading(text) };
      },
    });
  };
  return {
    askEach,
    async ask(parts, sliceNodes) {
      const all = await askEach(parts, sliceNodes);
      const answered = all.flatMap(({ node, reading }) => (reading ? [{ node, reading }] : []));
      const { reading, nodes } = planClusterReading(answered, limits.maxRows, now());
      const told = new Map(nodes.map((one) => [one.node, one]));
      const verdicts = all.map(({ node, result, error }): Verdict => ({ node, result, ...(error && { error }) }));
      return { ...reading, nodes: verdicts.map((verdict) => told.get(verdict.node) ?? verdict) };
    },
    close: () => fanout.close(),
  };
}
