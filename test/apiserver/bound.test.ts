/** A right made by hand and bound to a slice, with the operator against a real API server. */
import assert from 'node:assert/strict';
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import type { Pod } from '../../operator/kinds.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { startProcess, type Process } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const [NS, NODE] = ['bound-rights', 'bound-node'];

describe('a right that is bound by hand', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server);
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } });
    await world.addNode(NODE, { of: NS });
  });
  after(async () => {
    await operator.stop();
    await world.stop();
  });

  const right = { namespace: NS, name: 'gift' };
  const list = async <T>(path: string): Promise<T[]> =>
    (await server.client.request<{ items: T[] }>('GET', path)).items;
  const rights = () => list<ResourceCapability>(`/apis/${API_VERSION}/namespaces/${NS}/resourcecapabilities`);
  const pods = () => list<Pod>(`/api/v1/namespaces/${NS}/pods`);

  it('takes the place of the slice’s own, runs its sliver, and stays when the slice goes', async () => {
    await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name: 'web', namespace: NS },
      spec: {
        contact: 'ops@example.org',
        sliver: { image: 'example.org/web:1' },
        placement: { nodeSelector: { of: NS } },
      },
    });
    await until('its own right', async () => assert.equal((await pods()).length, 1));
    const spec = { nodeName: NODE, contact: 'ops@example.org', resources: { cpu: { shares: 70 } } };
    const metadata = { ...right, labels: { [LABEL_NODE]: NODE } };
    await server.client.create<ResourceCapability & KubeObject>({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata,
      spec,
    });
    await server.client.patch(Resources.ResourceCapability, right, { spec: { sliceName: 'web' } });
    await until('the pod of the bound right alone', async () => {
      assert.deepEqual(
        (await pods()).map((pod) => pod.metadata.name),
        ['gift'],
      );
      assert.deepEqual(
        (await rights()).map((one) => one.metadata.name),
        ['gift'],
      );
      const slice = await server.client.get<Slice>(Resources.Slice, { namespace: NS, name: 'web' });
      assert.deepEqual(slice!.status!.nodes, { wanted: 1, granted: 1, denied: 0, running: 1, upToDate: 1 });
    });
    await server.client.remove(Resources.Slice, { namespace: NS, name: 'web' });
    await until('the end of the slice', async () => {
      assert.equal(await server.client.get(Resources.Slice, { namespace: NS, name: 'web' }), undefined);
    });
    assert.deepEqual(await pods(), []);
    assert.equal((await rights()).length, 1);
  });
});
