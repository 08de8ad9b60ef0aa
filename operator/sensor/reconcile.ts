/** Writes what the nodes say of a Sensor to its status. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION } from '../../crds/names.ts';
import type { Sensor, SensorStatus, SliceNode } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { STATUS_MANAGER } from '../managers.ts';
import { Pace } from '../slice/pace.ts';
import { BY_SENSOR, type Stores } from '../stores.ts';
import { rightsOf } from '../watchdog/rights.ts';
import { planSensorStatus } from './plan.ts';

/** Between two writes; where only counts changed, which they do all the time, and each node is told of every write. */
const INTERVAL_MS = 5_000;
const COUNTS_MS = 60_000;

export interface SensorDeps {
  client: Pick<ApiClient, 'apply'>;
  stores: Pick<Stores, 'sensors' | 'sliceNodes' | 'capabilities'>;
  releaseNamespace: string;
  /** ms since the epoch, and ms that only ever grow. */
  now(): number;
  monotonic(): number;
}

export function sensorReconciler({ client, stores, releaseNamespace, now, monotonic }: SensorDeps) {
  const pace = { verdict: new Pace(monotonic, INTERVAL_MS), counts: new Pace(monotonic, COUNTS_MS) };
  return async (key: string, signal: AbortSignal): Promise<Outcome> => {
    const sensor = stores.sensors.get(key);
    if (!sensor || sensor.metadata.deletionTimestamp) {
      for (const one of Object.values(pace)) one.forget(key);
      return Done;
    }
    const nodes = believed(sensor, stores.sliceNodes.byIndex(BY_SENSOR, key));
    const status = planSensorStatus({ sensor, nodes, releaseNamespace, now: now() });
    if (isDeepStrictEqual(status, sensor.status)) return Done;
    const wait = (isVerdict(status, sensor.status) ? pace.verdict : pace.counts).waitMs(key);
    if (wait > 0) return After(wait);
    const { name, namespace, uid, resourceVersion } = sensor.metadata;
    const metadata = { name, namespace: namespace!, uid, resourceVersion };
    const kind = 'Sensor';
    await client.apply(
      { apiVersion: API_VERSION, kind, metadata, status },
      { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' },
      signal,
    );
    for (const one of Object.values(pace)) one.wrote(key);
    return Done;
  };

  /** A node is believed about a slice's Sensors where that has a right on it; about files, which are of the node, in any case. */
  function believed({ metadata, spec }: Sensor, nodes: readonly SliceNode[]): readonly SliceNode[] {
    if (spec.slice === undefined) return nodes;
    const rights = rightsOf(
      stores,
      nodes.map((node) => node.metadata.name),
    );
    return nodes.filter((node) => rights(node.metadata.name).has(`${metadata.namespace}/${spec.slice}`));
  }
}

/** Whether something changed besides counts, and when errors happened. */
function isVerdict(status: SensorStatus, before: SensorStatus | undefined): boolean {
  const said = ({ nodes, failing, errors, conditions, observedGeneration }: SensorStatus): unknown => [
    ...[nodes, failing, observedGeneration],
    errors?.map(({ reason }) => reason),
    conditions?.map(({ type, status: is, reason }) => [type, is, reason]),
  ];
  return before === undefined || !isDeepStrictEqual(said(status), said(before));
}
