/** A queue broker for tests, and the slices that wait in it. */
import { type Condition, getCondition } from '../../../crds/conditions.ts';
import { ANNOTATION_WINDOW, API_VERSION } from '../../../crds/names.ts';
import type { Slice, SliceSpec } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { silentLog } from '../../../kube/log.ts';
import { Resources } from '../../../kube/resources.ts';
import { QueueBroker } from '../../../operator/brokers/queue/broker.ts';

/** Watches and works at once, as one that leads. */
export async function startQueue(client: ApiClient, namespace: string): Promise<QueueBroker> {
  const clock = { wall: () => Date.now(), monotonic: () => performance.now() };
  const lengths = { usual: 3_600_000, most: 7_200_000 };
  const broker = new QueueBroker({ client, log: silentLog(), clock, namespace, lengths });
  await broker.whenSynced();
  broker.work();
  return broker;
}

export interface QueuedSlice {
  name: string;
  namespace: string;
  broker: string;
  spec?: Partial<SliceSpec>;
  seconds?: number;
}

export async function queueSlice(
  client: ApiClient,
  { name, namespace, broker, spec, seconds }: QueuedSlice,
): Promise<void> {
  const annotations = seconds === undefined ? {} : { annotations: { [ANNOTATION_WINDOW]: String(seconds) } };
  await client.create<Slice>({
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name, namespace, ...annotations },
    spec: {
      contact: 'ops@example.org',
      broker,
      resources: { cpu: { shares: 400 } },
      sliver: { image: 'example.org/web:1' },
      ...spec,
    },
  });
}

export async function queuedOf(client: ApiClient, namespace: string, name: string): Promise<Condition | undefined> {
  const slice = await client.get<Slice>(Resources.Slice, { namespace, name });
  return getCondition(slice?.status?.conditions, 'Queued');
}
