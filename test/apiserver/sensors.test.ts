/** A Sensor's way through a real API server: to the node that serves it, into its SliceNode, and summed up again. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCondition } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { Sensor, SensorSpec, SliceNode } from '../../crds/types.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import { policyOf } from '../../node-daemonset/admission/policy.ts';
import { EMPTY_STATE } from '../../node-daemonset/checkpoint.ts';
import { readConfig } from '../../node-daemonset/config.ts';
import { type NodeSensors, startSensors } from '../../node-daemonset/sensors/start.ts';
import { apiServer, type ApiServer, until } from './fixture.ts';
import { type Process, startProcess } from './operator/process.ts';
import { RELEASE, startWorld, type World } from './operator/world.ts';

const NODE = 'sensing';
const TENANT = 'sensing-tenant';

describe('sensors', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let node: NodeSensors;
  let directory: string;

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server);
    await world.addNode(NODE);
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: TENANT } });
    directory = mkdtempSync(join(tmpdir(), 'sensing-'));
    const env = { NODE_NAME: NODE, NAMESPACE: RELEASE, STATE_DIR: directory, RUN_DIR: directory, HOST_IP: '192.0.2.7' };
    node = await startSensors({
      config: readConfig(env),
      client: server.client,
      directoryOf: (uid) => join(directory, uid),
      store: { get: () => EMPTY_STATE },
      policy: () => policyOf({}),
      guard: { counters: () => new Map() },
      egress: { counters: () => new Map() },
      audit: { ask: () => Promise.reject(new Error('nothing is recorded')) },
      onChange: () => undefined,
      log: silentLog(),
    });
  });
  after(async () => {
    for (const { namespace, name } of made) await server.client.remove(Resources.Sensor, { namespace, name });
    await server.client.remove(Resources.SliceNode, { name: NODE });
    await world.removeNode(NODE);
    await node.close();
    await operator.stop();
    await world.stop();
    rmSync(directory, { recursive: true });
  });

  const made: { namespace: string; name: string }[] = [];
  const create = async (namespace: string, name: string, path: string, more: Partial<SensorSpec> = {}) => {
    made.push({ namespace, name });
    const columns: SensorSpec['columns'] = [{ name: 'total', field: 'MemTotal', type: 'integer' }];
    await server.client.create<Sensor>({
      apiVersion: API_VERSION,
      kind: 'Sensor',
      metadata: { namespace, name },
      spec: { file: { path }, columns, ...more },
    });
  };
  const read = (name: string) => node.sensors.read(name, [], { kind: 'public' }, new AbortController().signal);
  /** As a pass does. */
  const report = async (): Promise<void> => {
    const { sensors, address } = node.status();
    const status: KubeObject & { status: object } = {
      apiVersion: API_VERSION,
      kind: 'SliceNode',
      metadata: { name: NODE },
      status: { sensors, address },
    };
    const options = { fieldManager: 'slice-operator-node', force: true, subresource: 'status' as const };
    await server.client.apply(status, options);
  };
  const condition = async (namespace: string, name: string) => {
    const sensor = await server.client.get<Sensor>(Resources.Sensor, { namespace, name });
    return { ready: getCondition(sensor?.status?.conditions, 'Ready'), status: sensor?.status };
  };

  it('are served by the node as soon as they are there, and until they are gone', async () => {
    await create(RELEASE, 'memory', '/proc/meminfo');
    const reading = await until('the sensor to be served', () => read(`${RELEASE}.memory`));
    assert.ok(Number(reading.rows[0]![0]) > 0);
    await create(RELEASE, 'brief', '/proc/meminfo');
    await until('another one', () => read(`${RELEASE}.brief`));
    await server.client.remove(Resources.Sensor, { namespace: RELEASE, name: 'brief' });
    await until('it to be gone', () => assert.rejects(read(`${RELEASE}.brief`), { reason: 'NotFound' }));
  });

  it('have in their status what their nodes say', async () => {
    await create(RELEASE, 'odd', '/proc/meminfo', { format: 'JSON' });
    await until('it to fail', () => assert.rejects(read(`${RELEASE}.odd`), { word: 'NotParsed' }));
    await until('both to be told', async () => {
      await report();
      const good = await condition(RELEASE, 'memory');
      assert.deepEqual([good.ready?.reason, good.status?.nodes], ['Served', 1]);
      const bad = await condition(RELEASE, 'odd');
      assert.equal(bad.ready?.reason, 'Failing');
      assert.deepEqual(
        bad.status?.errors?.map((error) => [error.reason, error.node]),
        [['NotParsed', NODE]],
      );
    });
  });

  it('of tenants read no file of a node', async () => {
    await create(TENANT, 'memory', '/proc/meminfo');
    await until('it to be refused', async () => {
      assert.equal((await condition(TENANT, 'memory')).ready?.reason, 'FileNotAllowed');
    });
    await assert.rejects(read(`${TENANT}.memory`), { reason: 'NotFound' });
    await assert.rejects(create(TENANT, 'shadow', '/etc/shadow'), /spec\.file\.path/);
    made.pop();
  });

  it('know the other nodes by their addresses', async () => {
    const addresses = [{ type: 'InternalIP', address: '192.0.2.7' }];
    await server.client.patch(Resources.Node, { name: NODE }, { status: { addresses } }, { subresource: 'status' });
    await until('the operator to copy it', async () => {
      const { status } = (await server.client.get<SliceNode>(Resources.SliceNode, { name: NODE }))!;
      assert.equal(status?.node?.address, '192.0.2.7');
    });
    await until('the address to be known', async () => {
      const { rows } = await node.sensors.read('nodes', [], { kind: 'public' }, new AbortController().signal);
      assert.ok(rows.some(([ip, name]) => ip === '192.0.2.7' && name === NODE));
    });
  });
});
