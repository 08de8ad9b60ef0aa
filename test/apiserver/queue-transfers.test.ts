/** Without operator.transfers: what the queue and the holders of rights are told, and what becomes of windows meanwhile. */
import assert from 'node:assert/strict';
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import type { QueueBroker } from '../../operator/brokers/queue/broker.ts';
import { apiServer, removeSlices, until, type ApiServer } from './fixture.ts';
import { rightsIn, startNodes, type AdmittingNodes } from './operator/nodes.ts';
import { startProcess, type Process } from './operator/process.ts';
import { queuedOf, queueSlice, startQueue } from './operator/queue.ts';
import { startWorld, type World } from './operator/world.ts';

const [BROKER, TEAM, NODE] = ['untransferred-broker', 'untransferred-team', 'untransferred'];

describe('an operator that may not make or read the values of rights', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let nodes: AdmittingNodes;
  let broker: QueueBroker;
  let isForbidden = true;

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client, { answers: false });
    operator = await startProcess(server, { forbids: (path) => isForbidden && path.includes('/secrets') });
    for (const name of [BROKER, TEAM]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    nodes = await startNodes(server.client, [await world.addNode(NODE, { of: NODE })]);
    broker = await startQueue(server.client, BROKER);
  });
  after(async () => {
    await broker?.stop();
    await nodes?.stop();
    await operator?.stop();
    await world?.stop();
  });

  const saidOf = (name: string) =>
    until(`an Event about ${name}`, () => {
      const event = operator.events.find(({ reason, about }) => reason === 'TransfersNotAllowed' && about === name);
      assert.match(event?.message ?? '', /set operator\.transfers in its chart$/);
      return Promise.resolve();
    });

  for (const spec of [{ redeem: 'shown' }, { valueSecret: 'to-be-made' }]) {
    const name = Object.keys(spec)[0]!.toLowerCase();
    it(`says so of a right with spec.${Object.keys(spec)[0]}`, async () => {
      await server.client.create<ResourceCapability>({
        apiVersion: API_VERSION,
        kind: 'ResourceCapability',
        metadata: { namespace: TEAM, name, labels: { [LABEL_NODE]: NODE } },
        spec: { nodeName: NODE, contact: 'ops@example.org', ...spec },
      });
      await saidOf(name);
    });
  }

  it('has no window of the queue told to be open, nor lost', async () => {
    const told: string[] = [];
    const says = (text: RegExp) =>
      until(`one to be told ${text.source}`, async () => {
        const { status, reason, message } = (await queuedOf(server.client, TEAM, 'one')) ?? {};
        if (reason && told.at(-1) !== reason) told.push(reason);
        assert.match(`${status} ${message}`, text);
      });
    const placement = { nodeSelector: { of: NODE } };
    await queueSlice(server.client, { name: 'one', namespace: TEAM, broker: BROKER, spec: { placement }, seconds: 9 });
    const why = `${NODE} waits for the value of ${BROKER}/one-\\w+-part: is the operator running, with operator.transfers set`;
    await says(new RegExp(`^True place 1 of 1, nothing is handed over yet: ${why}`));
    const part = (await rightsIn(server.client, BROKER)).find(({ spec }) => spec.from);
    await saidOf(part!.metadata.name);
    await says(new RegExp(`^True nothing was handed over at .*: ${why}`));
    await until('nothing to be held', async () => assert.deepEqual(await rightsIn(server.client, BROKER), []));
    isForbidden = false;
    await says(/^False place 1 of 1, open until /);
    assert.ok(!told.slice(0, -1).some((reason) => reason === 'Open' || reason === 'Over'), told.join());
    const given = (await rightsIn(server.client, TEAM)).filter(({ spec }) => spec.sliceName === 'one');
    assert.equal(given.length, 1);
    await says(/^False its window ended at /);
    await server.client.remove(Resources.Slice, { namespace: TEAM, name: 'one' });
  });
});
