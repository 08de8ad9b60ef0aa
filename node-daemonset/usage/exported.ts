/** The sensors that Prometheus gets: those whose owners export them. */
import type { Reading } from '../../crds/reading.ts';
import type { SensorInfo, Sensors } from '../sensors/registry.ts';
import { isMetric } from './columns.ts';

/** A scrape does not wait longer for any sensor. */
const WAIT_MS = 2_000;

/** Which sensors have anything for Prometheus. */
export function exportedOf(list: readonly SensorInfo[]): SensorInfo[] {
  return list.filter(({ exported, type, columns }) => exported && type === 'Snapshot' && columns.some(isMetric));
}

/** Reads them as anybody would, all at once; whoever fails or is late has no samples in this scrape. */
export async function readExported(sensors: Sensors): Promise<{ sensor: string; reading: Reading }[]> {
  const signal = AbortSignal.timeout(WAIT_MS);
  const read = async ({ name }: SensorInfo): Promise<{ sensor: string; reading: Reading }[]> => {
    try {
      return [{ sensor: name, reading: await sensors.read(name, [], { kind: 'node' }, signal) }];
    } catch {
      return []; // its status says why
    }
  };
  return (await Promise.all(exportedOf(sensors.list()).map(read))).flat();
}
