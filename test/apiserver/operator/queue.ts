/** A queue broker for tests, and the slices that wait in it. */
import { type Condition, getCondition } from '../../../crds/conditions.ts';
import { ANNOTATION_WINDOW, API_VERSION } from '../../../crds/names.ts';
import type { Slice, SliceSpec } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { silentLog } from '../../../kube/log.ts';
import { Resources } from '../../../kube/resources.ts';
import { QueueBroker } from '../../../operator/brokers/queue/broker.ts';
import type { Node } from '../../../operator/kinds.ts';
import { type ApiServer, removeSlices } from '../fixture.ts';
import { startNodes } from './nodes.ts';
import { startProcess } from './process.ts';
import { startWorld } from './world.ts';

/** Watches and works at once, as one that leads. */
export async function startQueue(client: ApiClient, namespace: string): Promise<QueueBroker> {
  const clock = { wall: () => Date.now(), monotonic: () => performance.now() };
  const lengths = { usual: 3_600_000, most: 7_200_000 };
  const broker = new QueueBroker({ client, log: silentLog(), clock, namespace, lengths });
  await broker.whenSynced();
  broker.work();
  return broker;
}

/** The operator, a queue, a namespace of its clients, and nodes labelled `of` that, with their real admission. The returned function ends it all. */
export async function startQueuedWorld(
  server: ApiServer,
  { broker: namespace, team, nodeNames }: { broker: string; team: string; nodeNames: readonly string[] },
): Promise<() => Promise<void>> {
  await removeSlices(server);
  const world = await startWorld(server.client, { answers: false });
  const operator = await startProcess(server);
  for (const name of [namespace, team]) {
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const made: Node[] = [];
  for (const name of nodeNames) made.push(await world.addNode(name, { of: team }));
  const nodes = await startNodes(server.client, made);
  const broker = await startQueue(server.client, namespace);
  return async () => {
    await broker.stop();
    await nodes.stop();
    await operator.stop();
    await world.stop();
  };
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
