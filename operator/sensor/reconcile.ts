/** Writes what the nodes say of a Sensor to its status. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION } from '../../crds/names.ts';
import type { ApiClient } from '../../kube/client.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { STATUS_MANAGER } from '../managers.ts';
import { Pace } from '../slice/pace.ts';
import { BY_SENSOR, type Stores } from '../stores.ts';
import { planSensorStatus } from './plan.ts';

/** Counts of readings change all the time: what people watch is the condition. */
const INTERVAL_MS = 5_000;

export interface SensorDeps {
  client: Pick<ApiClient, 'apply'>;
  stores: Pick<Stores, 'sensors' | 'sliceNodes'>;
  releaseNamespace: string;
  /** ms since the epoch, and ms that only ever grow. */
  now(): number;
  monotonic(): number;
}

export function sensorReconciler({ client, stores, releaseNamespace, now, monotonic }: SensorDeps) {
  const pace = new Pace(monotonic, INTERVAL_MS);
  return async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const sensor = stores.sensors.get(key);
    if (!sensor || sensor.metadata.deletionTimestamp) {
      pace.forget(key);
      return Done;
    }
    const nodes = stores.sliceNodes.byIndex(BY_SENSOR, key);
    const status = planSensorStatus({ sensor, nodes, releaseNamespace, now: now() });
    if (isDeepStrictEqual(status, sensor.status)) return Done;
    const wait = pace.waitMs(key);
    if (wait > 0) return After(wait);
    const { name, namespace, uid, resourceVersion } = sensor.metadata;
    const metadata = { name, namespace: namespace!, uid, resourceVersion };
    const kind = 'Sensor';
    await client.apply(
      { apiVersion: API_VERSION, kind, metadata, status },
      { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' },
      signal,
    );
    pace.wrote(key);
    return Done;
  };
}
