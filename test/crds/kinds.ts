/** Good and bad objects of every kind, and what is good or bad of them. */
import type { Kinds, Violation } from '../../crds/validate.ts';
import {
  badCapabilities,
  badRestraints,
  badSliceNodePolicies,
  badSliceNodes,
  capability,
  restraint,
  sliceNode,
  sliceNodePolicy,
} from './nodes.ts';
import { badSensors, badWatchdogs, goodSensors, watchdog } from './sensors.ts';
import { badSlices, goodSlices } from './slices.ts';

type Judged<K extends keyof Kinds> = [what: string, object: Kinds[K]];

interface Samples<K extends keyof Kinds> {
  good: Judged<K>[];
  /** Perhaps with what the path of a violation begins with. */
  bad: [...Judged<K>, at?: Violation['path']][];
}

export const SAMPLES: { readonly [K in keyof Kinds]: Samples<K> } = {
  Slice: { good: goodSlices(), bad: badSlices() },
  ResourceCapability: { good: [['the least there is', capability()]], bad: badCapabilities() },
  SliceNode: { good: [['nothing said', sliceNode()]], bad: badSliceNodes() },
  SliceNodePolicy: {
    good: [
      ['a selector and a priority', sliceNodePolicy({ shares: 1 }, { nodeSelector: { rack: 'a' }, priority: -1 })],
    ],
    bad: badSliceNodePolicies(),
  },
  Restraint: {
    good: [
      ['a limit of nothing', restraint({ egressLimit: 0 })],
      ['a suspension', restraint({ suspended: true })],
    ],
    bad: badRestraints(),
  },
  Watchdog: {
    good: [
      ['a lift and a period', watchdog({ lift: { below: '1G' }, periodSeconds: 86_400 })],
      ['a throttle', watchdog({ action: 'Throttle', egressLimit: '1M' })],
    ],
    bad: badWatchdogs(),
  },
  Sensor: { good: goodSensors(), bad: badSensors() },
};

export const GOOD = Object.values(SAMPLES).flatMap(({ good }) => good as Judged<keyof Kinds>[]);
export const BAD = Object.values(SAMPLES).flatMap(({ bad }) => bad as Samples<keyof Kinds>['bad']);
