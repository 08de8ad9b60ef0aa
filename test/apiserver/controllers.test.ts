/** The operator without its default broker, against a real API server: slivers run by rights that others bind. */
import assert from 'node:assert/strict';
import { getCondition } from '../../crds/conditions.ts';
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { apiServer, removeSlices, until, type ApiServer } from './fixture.ts';
import { startProcess, type Process } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const [NS, NODE] = ['no-broker', 'no-broker-node'];

describe('an operator without the default broker', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client);
    operator = await startProcess(server, { controllers: '*,-broker' });
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } });
    await world.addNode(NODE, { of: NS });
  });
  after(async () => {
    await operator.stop();
    await world.stop();
  });

  const read = () => server.client.get<Slice>(Resources.Slice, { namespace: NS, name: 'web' });

  it('acquires nothing, says so, and runs a sliver by a right that somebody binds', async () => {
    const placement = { nodeSelector: { of: NS } };
    const spec = { contact: 'ops@example.org', sliver: { image: 'example.org/web:1' }, placement };
    const metadata = { name: 'web', namespace: NS };
    await server.client.create<Slice>({ apiVersion: API_VERSION, kind: 'Slice', metadata, spec });
    await until('the slice to say for whom it waits', async () => {
      assert.equal(getCondition((await read())?.status?.conditions, 'Allocated')?.reason, 'WaitingForBroker');
    });
    assert.ok(!operator.writes.some(({ path }) => path.includes('/resourcecapabilities')));
    await server.client.create<ResourceCapability>({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { name: 'gift', namespace: NS, labels: { [LABEL_NODE]: NODE } },
      spec: { nodeName: NODE, contact: 'ops@example.org', sliceName: 'web', resources: { cpu: { shares: 7 } } },
    });
    await until('the slice to be Ready', async () => {
      const status = (await read())?.status;
      assert.equal(getCondition(status?.conditions, 'Ready')?.status, 'True', JSON.stringify(status));
    });
  });

  it('leaves conditions of others in the status, and is not made to write by them', async () => {
    const lastTransitionTime = '2030-01-01T00:00:00Z';
    const other = { type: 'Queued', status: 'False', reason: 'Open', message: 'open', lastTransitionTime };
    const ref = { namespace: NS, name: 'web' };
    const patch = { status: { conditions: [other, ...(await read())!.status!.conditions!] } };
    const writes = operator.writes.length;
    await server.client.patch(Resources.Slice, ref, patch, { subresource: 'status' });
    await server.client.patch(Resources.Slice, ref, { spec: { description: 'edited' } });
    await until('the edit to be seen', async () => {
      const now = await read();
      assert.equal(now?.status?.observedGeneration, now?.metadata.generation);
    });
    assert.deepEqual(getCondition((await read())!.status!.conditions, 'Queued'), other);
    assert.equal(operator.writes.length, writes + 1);
  });

  it('says when the right opens that was bound, where all that there is begins later', async () => {
    const window = { start: '2099-01-01T00:00:00Z' };
    await server.client.patch(Resources.ResourceCapability, { namespace: NS, name: 'gift' }, { spec: { window } });
    await until('the slice to say so', async () => {
      const { reason, message } = getCondition((await read())?.status?.conditions, 'Ready')!;
      const opens = `rcap gift on ${NODE}: the window opens at ${window.start}`;
      assert.deepEqual([reason, message], ['WindowNotOpen', `0 of 1 granted; ${opens}`]);
    });
  });
});
