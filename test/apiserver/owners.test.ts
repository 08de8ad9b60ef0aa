/** Policies for many nodes against a real API server: what the operator tells each node, and who may write them. */
import assert from 'node:assert/strict';
import { API_VERSION } from '../../crds/names.ts';
import type { SliceNode, SliceNodePolicy, SliceNodeSpec } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { planNodeStatus } from '../../node-daemonset/report/node.ts';
import { NODE_FACTS } from '../node-daemonset/report/facts.ts';
import { apiServer, type ApiServer, until } from './fixture.ts';
import { type Process, startProcess } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const NODES = { 'own-lab': { room: 'own-lab' }, 'own-hall': { room: 'own-hall' } } as const;
const NAMES = ['own-all', 'own-lab', 'own-strict', 'own-wrong'];

describe('policies for many nodes', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server);
    for (const [name, labels] of Object.entries(NODES)) await world.addNode(name, labels);
  });
  after(async () => {
    await clear();
    for (const name of Object.keys(NODES)) await world.removeNode(name);
    for (const name of Object.keys(NODES)) await server.client.remove(Resources.SliceNode, { name });
    await operator.stop();
    await world.stop();
  });
  afterEach(clear);

  async function clear(): Promise<void> {
    for (const name of NAMES) await server.client.remove(Resources.SliceNodePolicy, { name });
  }
  const make = (name: string, policy: SliceNodeSpec, spec: Partial<SliceNodePolicy['spec']> = {}) =>
    server.client.create<SliceNodePolicy>({
      apiVersion: API_VERSION,
      kind: 'SliceNodePolicy',
      metadata: { name },
      spec: { policy, ...spec },
    });
  const get = (name: string) => server.client.get<SliceNode>(Resources.SliceNode, { name });
  const told = async (name: string) => {
    const { policies, policy } = (await get(name))?.status?.defaults ?? {};
    return { policies, policy };
  };
  const eventually = (check: () => Promise<void>): Promise<void> => until('what was expected', check);
  const tells = (name: string, policies: string[] | undefined, policy: SliceNodeSpec | undefined) =>
    eventually(async () => assert.deepEqual(await told(name), { policies, policy }));

  it('reach the nodes that they are for, the stronger first, and never their spec', async () => {
    await make('own-all', {
      shares: 500,
      egressLimit: '50M',
      namespaces: [{ name: 'b' }, { name: 'a', refused: true }],
    });
    await make(
      'own-lab',
      { shares: 700, namespaces: [{ name: 'a' }] },
      { nodeSelector: NODES['own-lab'], priority: 1 },
    );
    const namespaces = [{ name: 'b' }, { name: 'a' }];
    await tells('own-lab', ['own-lab', 'own-all'], { shares: 700, egressLimit: '50M', namespaces });
    const all = { shares: 500, egressLimit: '50M', namespaces: [{ name: 'b' }, { name: 'a', refused: true }] };
    await tells('own-hall', ['own-all'], all);
    const { spec, status } = (await get('own-lab'))!;
    assert.deepEqual(spec, {});
    assert.ok(status!.node!.uid, 'what else the operator tells is still there');
    await server.client.remove(Resources.SliceNodePolicy, { name: 'own-lab' });
    await tells('own-lab', ['own-all'], all);
    await server.client.remove(Resources.SliceNodePolicy, { name: 'own-all' });
    await tells('own-lab', undefined, undefined);
  });

  it('follow the labels of a Node, and are edited in place', async () => {
    const strict = await make('own-strict', { shares: 1 }, { nodeSelector: { strict: 'yes' } });
    const label = (value: string | null) =>
      server.client.patch(Resources.Node, { name: 'own-hall' }, { metadata: { labels: { strict: value } } });
    await label('yes');
    await tells('own-hall', ['own-strict'], { shares: 1 });
    const { name, uid } = strict.metadata;
    await server.client.patch(Resources.SliceNodePolicy, { name, uid }, { spec: { policy: { shares: 2 } } });
    await tells('own-hall', ['own-strict'], { shares: 2 });
    await label(null);
    await tells('own-hall', undefined, undefined);
  });

  it('write nothing when nothing changed', async () => {
    const namespaces = ['c', 'a', 'b'].map((name) => ({ name }));
    await make('own-all', { namespaces, exempt: { destinations: ['10.0.0.0/8', '::1/128'] }, egressLimit: 5_000_000 });
    await eventually(async () => assert.deepEqual((await told('own-hall')).policies, ['own-all']));
    const before = (await get('own-hall'))!.metadata.resourceVersion;
    await make('own-strict', {}, { nodeSelector: { strict: 'no such' } });
    await make('own-lab', {}, { nodeSelector: NODES['own-lab'] });
    await eventually(async () => assert.deepEqual((await told('own-lab')).policies, ['own-all', 'own-lab']));
    assert.equal((await get('own-hall'))!.metadata.resourceVersion, before);
  });

  it('that make no sense are in force nowhere, and an Event says why', async () => {
    const destinations = ['10.0.0.0/33'];
    await make('own-wrong', { shares: 1, exempt: { destinations } }, { priority: 9 });
    await make('own-all', { shares: 2 });
    await tells('own-lab', ['own-all'], { shares: 2 });
    await eventually(async () => {
      const [event] = operator.events.filter(({ reason }) => reason === 'InvalidSpec');
      assert.match(
        event?.message ?? '',
        /not in force on node own-\w+: spec.policy.exempt.destinations\[0\]: must be an IP/,
      );
    });
    assert.equal(operator.events.filter(({ reason }) => reason === 'InvalidSpec').length, 1, 'once for all nodes');
  });

  it('say themselves where they are in force, and where not and why', async () => {
    const status = async (name: string) =>
      (await server.client.get<SliceNodePolicy>(Resources.SliceNodePolicy, { name }))?.status ?? {};
    const says = (name: string, ready: string, reason: string, matching: number, inForce: number) =>
      eventually(async () => {
        const { conditions, nodes, observedGeneration } = await status(name);
        assert.deepEqual(
          [conditions?.map(({ type, status: is, reason: why }) => [type, is, why]), nodes, observedGeneration],
          [[['Ready', ready, reason]], { matching, inForce }, 1],
        );
      });
    const nodeSelector = { 'own-side': 'yes' };
    const label = (node: string, side: string | null) =>
      server.client.patch(Resources.Node, { name: node }, { metadata: { labels: { 'own-side': side } } });
    await make('own-all', { shares: 2 }, { nodeSelector });
    await says('own-all', 'False', 'NoNodes', 0, 0);
    await label('own-lab', 'yes');
    await says('own-all', 'True', 'InForce', 1, 1);
    const window = { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' };
    await make('own-wrong', { blackouts: [window] }, { nodeSelector });
    await says('own-wrong', 'False', 'InvalidSpec', 1, 0);
    const { leftOut, conditions } = await status('own-wrong');
    const [left, ...more] = leftOut ?? [];
    assert.deepEqual([left?.node, more], ['own-lab', []]);
    assert.match(left?.message ?? '', /^spec\.policy\.blackouts/);
    assert.match(conditions![0]!.message, /^in force on no node: spec\.policy\.blackouts/);
    await label('own-hall', 'yes');
    await says('own-all', 'True', 'InForce', 2, 2);
    assert.deepEqual((await told('own-hall')).policies, ['own-all']);
    for (const node of Object.keys(NODES)) await label(node, null);
    await says('own-all', 'False', 'NoNodes', 0, 0);
    await eventually(async () => assert.deepEqual((await status('own-wrong')).nodes, { matching: 0, inForce: 0 }));
  });

  it('takes what a node says of orders that were given without a reason', async () => {
    const orders = {
      cap: { egressLimit: 5e6, since: '2026-10-01T00:00:00Z', reason: '' },
      suspended: [{ namespace: 'a', slice: undefined, since: '', reason: '' }],
    };
    const status = planNodeStatus({ ...NODE_FACTS, orders });
    const metadata = { name: 'own-lab' };
    const report = { apiVersion: API_VERSION, kind: 'SliceNode', metadata, status };
    await server.client.apply(report, { fieldManager: 'own-test', force: true, subresource: 'status' });
    assert.deepEqual((await get('own-lab'))?.status?.orders, status.orders);
  });
});
