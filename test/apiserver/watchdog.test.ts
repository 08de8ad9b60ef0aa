/** Restraints and Watchdogs against a real API server: who may, what the operator makes of it, and how it is undone. */
import assert from 'node:assert/strict';
import { getCondition } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { Restraint, Slice, SliceNode, Watchdog, WatchdogSpec } from '../../crds/types.ts';
import { type Resource, Resources } from '../../kube/resources.ts';
import type { NodeReading } from '../../operator/watchdog/readings.ts';
import { kubectlProgram } from '../chart/helm.ts';
import { run } from '../cluster/command.ts';
import { apiServer, type ApiServer, until } from './fixture.ts';
import { type Process, startProcess } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const NODES = ['dog-n1', 'dog-n2'];
const NAMESPACE = 'dog';

describe('restraints and watchdogs', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  /** What each node says that the slice `web` sends now. */
  let rate = 0;
  let silent: string[] = [];

  const readings = {
    read: (sensor: string): Promise<NodeReading[]> => {
      if (sensor !== 'bandwidth') return Promise.reject(new Error(`there is no sensor ${sensor}`));
      const columns = ['namespace', 'slice', 'rate'].map((name) => ({ name, type: 'string' as const }));
      const rows = [[NAMESPACE, 'web', rate]];
      return Promise.resolve(
        NODES.map((node) =>
          silent.includes(node) ? { node, error: 'is silent' } : { node, reading: { columns, rows, time: 0 } },
        ),
      );
    },
  };

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server, { readings });
    await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    for (const name of NODES) await world.addNode(name, { of: NAMESPACE });
  });
  after(async () => {
    for (const name of NODES) await world.removeNode(name);
    for (const name of NODES) await server.client.remove(Resources.SliceNode, { name });
    await operator.stop();
    await world.stop();
  });
  beforeEach(async () => {
    [rate, silent] = [0, []];
    await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: {
        contact: 'ops@example.org',
        sliver: { image: 'example.org/web:1' },
        placement: { nodeSelector: { of: NAMESPACE } },
      },
    });
    await readyIs('True', 'AllRunning');
  });
  afterEach(async () => {
    await clear(Resources.Watchdog);
    await clear(Resources.Restraint);
    await server.client.remove(Resources.Slice, { namespace: NAMESPACE, name: 'web' });
    await eventually(async () => assert.equal(await web(), undefined));
  });

  const eventually = (check: () => Promise<void>): Promise<void> => until('what was expected', check);
  const web = () => server.client.get<Slice>(Resources.Slice, { namespace: NAMESPACE, name: 'web' });

  async function list<T>({ plural }: Resource): Promise<T[]> {
    return (await server.client.request<{ items: T[] }>('GET', `/apis/${API_VERSION}/${plural}`)).items;
  }

  async function clear(resource: Resource): Promise<void> {
    for (const { metadata } of await list<Restraint>(resource)) await server.client.remove(resource, metadata);
  }

  async function readyIs(status: string, reason: string): Promise<string> {
    let message = '';
    await eventually(async () => {
      const ready = getCondition((await web())?.status?.conditions, 'Ready');
      assert.deepEqual([ready?.status, ready?.reason], [status, reason], ready?.message);
      message = ready!.message;
    });
    return message;
  }

  async function restrain(name: string, spec: Partial<Restraint['spec']>): Promise<void> {
    const whole = { namespace: NAMESPACE, slice: 'web', reason: `because of ${name}`, ...spec };
    await server.client.create<Restraint>({
      apiVersion: API_VERSION,
      kind: 'Restraint',
      metadata: { name },
      spec: whole,
    });
  }

  async function watch(spec: Partial<WatchdogSpec>): Promise<void> {
    const read = { sensor: 'bandwidth', column: 'rate' };
    const whole = { read, above: 100, everySeconds: 1, action: 'Suspend', ...spec } as const;
    const metadata = { name: 'dog' };
    await server.client.create<Watchdog>({ apiVersion: API_VERSION, kind: 'Watchdog', metadata, spec: whole });
  }
  const dog = async () => (await server.client.get<Watchdog>(Resources.Watchdog, { name: 'dog' }))!;
  const dogSays = (reason: string) =>
    eventually(async () => assert.equal((await dog()).status?.conditions?.[0]?.reason, reason));

  const told = async (): Promise<SliceNode['status'][]> =>
    (await list<SliceNode>(Resources.SliceNode))
      .filter(({ metadata }) => NODES.includes(metadata.name))
      .map(({ status }) => status);

  it('hold a slice while any of them is there, name each, and tell its nodes', async () => {
    await restrain('a', { suspended: true });
    await restrain('b', { suspended: true, slice: undefined, contact: 'noc@example.org' });
    await restrain('c', { egressLimit: '1M' });
    const message = await readyIs('False', 'Suspended');
    assert.match(message, /Restraint a: because of a/);
    await eventually(async () => {
      assert.deepEqual(
        (await web())!.status!.restraints!.map(({ name }) => name),
        ['a', 'b', 'c'],
      );
    });
    const entries = [
      { namespace: NAMESPACE, suspended: true },
      { namespace: NAMESPACE, slice: 'web', suspended: true, egressLimit: '1M' },
    ];
    await eventually(async () => {
      for (const status of await told()) assert.deepEqual(status!.restraints, entries);
    });
    // the author wants it to run, and even makes it anew
    await server.client.patch(Resources.Slice, { namespace: NAMESPACE, name: 'web' }, { spec: { suspended: false } });
    await server.client.remove(Resources.Restraint, { name: 'a' });
    await eventually(async () =>
      assert.match(await readyIs('False', 'Suspended'), /by Restraint b \(noc@example\.org\)/),
    );
    await server.client.remove(Resources.Restraint, { name: 'b' });
    await readyIs('True', 'AllRunning');
    await eventually(async () => {
      for (const status of await told()) {
        assert.deepEqual(status!.restraints, [{ namespace: NAMESPACE, slice: 'web', egressLimit: '1M' }]);
        assert.ok(status!.node!.uid, 'what else the operator says of the node stays');
      }
    });
    await server.client.remove(Resources.Restraint, { name: 'c' });
    await eventually(async () => {
      for (const status of await told()) assert.equal(status!.restraints, undefined);
      assert.equal((await web())!.status!.restraints, undefined);
    });
  });

  it('suspend a slice whose nodes together are above the limit, leave alone what was undone, and act again later', async () => {
    await watch({});
    rate = 50;
    await dogSays('Watching');
    assert.deepEqual(await list(Resources.Restraint), []);
    rate = 51;
    assert.match(
      await readyIs('False', 'Suspended'),
      /bandwidth rate 102 is above 100, all nodes added up \(Watchdog dog\)/,
    );
    const [made] = await list<Restraint>(Resources.Restraint);
    assert.equal(made!.metadata.ownerReferences![0]!.uid, (await dog()).metadata.uid);
    assert.ok(operator.events.some(({ reason }) => reason === 'SuspendedByWatchdog'));

    await server.client.remove(Resources.Restraint, made!.metadata);
    await readyIs('True', 'AllRunning');
    await eventually(async () => assert.equal((await dog()).status!.largest![0]!.state, 'Pardoned'));
    assert.deepEqual(await list(Resources.Restraint), []);
    rate = 10;
    await eventually(async () => assert.equal((await dog()).status!.largest?.[0]?.state, undefined));
    rate = 60;
    await readyIs('False', 'Suspended');
  });

  it('say of a Restraint that holds nobody that it does', async () => {
    await restrain('nothing', {});
    await eventually(async () =>
      assert.ok(operator.events.some(({ reason, message }) => reason === 'InvalidSpec' && /egressLimit/.test(message))),
    );
    await readyIs('True', 'AllRunning');
  });

  it('ask no node that is gone, though what was known of it stays', async () => {
    const gone = 'dog-gone';
    await world.addNode(gone);
    await eventually(async () => assert.ok(operator.asked().includes(gone)));
    await world.removeNode(gone);
    await eventually(async () => assert.ok(!operator.asked().includes(gone)));
    assert.ok(await server.client.get(Resources.SliceNode, { name: gone }));
    await server.client.remove(Resources.SliceNode, { name: gone });
  });

  it('throttle, change with their Watchdog, and are lifted when all nodes say that it is over', async () => {
    rate = 60;
    await watch({ action: 'Throttle', egressLimit: '2M', lift: { below: 20, forSeconds: 1 } });
    const limits = async () => (await list<Restraint>(Resources.Restraint)).map(({ spec }) => spec.egressLimit);
    await eventually(async () => assert.deepEqual(await limits(), ['2M']));
    await server.client.patch(Resources.Watchdog, { name: 'dog' }, { spec: { egressLimit: '1M' } });
    await eventually(async () => assert.deepEqual(await limits(), ['1M']));
    silent = ['dog-n2'];
    rate = 0;
    await dogSays('Partial');
    assert.deepEqual(await limits(), ['1M']);
    silent = [];
    await eventually(async () => assert.deepEqual(await limits(), []));
    await eventually(async () => assert.equal((await dog()).status!.restrained, 0));
    await readyIs('True', 'AllRunning');
  });

  it('are out of reach of an author who may do everything in the slice’s namespace', async () => {
    await restrain('far', { suspended: true });
    await readyIs('False', 'Suspended');
    const as = (...argv: string[]): Promise<string> =>
      run([kubectlProgram(), '--kubeconfig', server.kubeconfig, '--as=author', '-n', NAMESPACE, ...argv]);
    await run([
      ...[kubectlProgram(), '--kubeconfig', server.kubeconfig, '-n', NAMESPACE],
      ...['create', 'rolebinding', 'author', '--clusterrole=cluster-admin', '--user=author'],
    ]);
    const awake = JSON.stringify({ spec: { suspended: false } });
    await until('the author to have his rights', () => as('patch', 'slice', 'web', '--type=merge', '-p', awake));
    for (const argv of [
      ['delete', 'restraint', 'far'],
      ['patch', 'restraint', 'far', '--type=merge', '-p', awake],
      ['patch', 'slicenode', NODES[0]!, '--type=merge', '-p', '{"status":{"restraints":[]}}'],
      ['delete', 'watchdogs', '--all'],
    ]) {
      await assert.rejects(as(...argv), /[Ff]orbidden/, argv.join(' '));
    }
    await readyIs('False', 'Suspended');
  });

  it('are remembered over a restart, and so is that one was undone while nobody looked', async () => {
    rate = 500;
    await watch({});
    await readyIs('False', 'Suspended');
    await eventually(async () => assert.equal((await dog()).status?.restrained, 1));
    await operator.stop();
    operator = await startProcess(server, { readings });
    const [made] = await list<Restraint>(Resources.Restraint);
    await eventually(async () => assert.equal((await dog()).status!.largest![0]!.state, 'Restrained'));
    await operator.stop();
    await server.client.remove(Resources.Restraint, made!.metadata);
    operator = await startProcess(server, { readings });
    await eventually(async () => assert.equal((await dog()).status!.largest![0]!.state, 'Pardoned'));
    await readyIs('True', 'AllRunning');
    assert.deepEqual(await list(Resources.Restraint), []);
  });

  it('only say so in a dry run, or where nothing can be read', async () => {
    rate = 500;
    await watch({ dryRun: true });
    await eventually(async () => assert.equal((await dog()).status?.largest?.[0]?.state, 'WouldBe'));
    assert.ok(operator.events.some(({ reason }) => reason === 'WouldSuspend'));
    assert.deepEqual(await list(Resources.Restraint), []);
    await server.client.patch(Resources.Watchdog, { name: 'dog' }, { spec: { read: { sensor: 'nothing' } } });
    await dogSays('NoReadings');
  });

  it('terminate: the slice goes, and one of its name stays suspended', async () => {
    const uid = (await web())!.metadata.uid;
    rate = 500;
    await watch({ action: 'Terminate' });
    await eventually(async () => assert.notEqual((await web())?.metadata.uid, uid));
    await eventually(async () => assert.equal(await web(), undefined));
    // creation times are whole seconds
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: { contact: 'ops@example.org', sliver: { image: 'example.org/web:1' } },
    });
    await readyIs('False', 'Suspended');
  });
});
