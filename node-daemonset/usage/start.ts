/** Usage as the node manager has it: where each part of it is read, and who may ask. */
import { exposition, type Family } from '../../kube/exposition.ts';
import type { Log } from '../../kube/log.ts';
import type { TreeOptions } from '../cpu/cgroups.ts';
import { type CpuMeter, createCpuMeter } from '../cpu/usage.ts';
import { readClassCounters } from '../egress/netlink.ts';
import type { Sensors } from '../sensors/registry.ts';
import type { Desired } from '../sliver.ts';
import { planSensorFamilies } from './columns.ts';
import { readExported } from './exported.ts';
import { planFailures, planFamilies, planLeftOut } from './families.ts';
import { createUsageReader, type NodeUsage, type UsageParts } from './usage.ts';

export interface Usage {
  /** The same for all who ask within a second. */
  read(): NodeUsage;
  cpu: CpuMeter;
  /** What the kernel is about to keep. */
  onDesired(desired: Desired): void;
  /** For Prometheus, with what these sensors export; those of the release's namespace first. */
  metrics(sensors?: Sensors, releaseNamespace?: string): Promise<string>;
  close(): void;
}

export function startUsage({
  tree,
  pods,
  guarded,
  log,
}: Pick<UsageParts, 'pods' | 'guarded'> & { tree: TreeOptions; log: Log }): Usage {
  let desired: Desired | undefined;
  const cpu = createCpuMeter(tree);
  const read = createUsageReader({
    cpu,
    desired: () => desired,
    pods,
    lines: readClassCounters,
    guarded,
    now: Date.now,
  });
  let failures = 0;
  /** What can't be read must not take the rest of a scrape with it. */
  const families = (): Family[] => {
    try {
      return planFamilies(read());
    } catch (error) {
      failures++;
      log.warn({ err: error }, 'what slivers got could not be read');
      return [];
    }
  };
  return {
    read,
    cpu,
    onDesired: (now) => (desired = now),
    async metrics(sensors, releaseNamespace) {
      const readings = sensors ? await readExported(sensors) : [];
      const exported = planSensorFamilies(readings, releaseNamespace);
      const left = sensors ? [planLeftOut(exported.leftOut)] : [];
      return exposition([...families(), planFailures(failures), ...left, ...exported.families]);
    },
    close: () => cpu.close(),
  };
}
