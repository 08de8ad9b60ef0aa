/** A slice that whoever runs the queue suspends, with the operator, the broker and the nodes' real admission. */
import assert from 'node:assert/strict';
import { type Condition, getCondition } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import type { Pod } from '../../operator/kinds.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { rightsIn } from './operator/nodes.ts';
import { queueSlice, startQueuedWorld } from './operator/queue.ts';

const [BROKER, TEAM] = ['suspending-queue', 'suspended-team'];
const WHY = { reason: 'probes our customers', contact: 'ops@queue.example' };

describe('a slice that its broker suspends, on a real API server', () => {
  let server: ApiServer;
  let stop: () => Promise<void>;

  before(async () => {
    server = await apiServer();
    stop = await startQueuedWorld(server, { broker: BROKER, team: TEAM, nodeNames: ['suspended-1', 'suspended-2'] });
    await queue('served');
    await says('served', 'Ready', /^True 2 of 2 running/);
    await server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name: 'own', namespace: TEAM },
      spec: {
        contact: 'ops@example.org',
        placement: { nodeSelector: { of: TEAM } },
        sliver: { image: 'example.org/web:1' },
      },
    });
    await says('own', 'Ready', /^True 2 of 2 running/);
  });
  after(() => stop());

  const queue = (name: string) =>
    queueSlice(server.client, {
      name,
      namespace: TEAM,
      broker: BROKER,
      spec: { placement: { nodeSelector: { of: TEAM } } },
    });
  const read = (name: string) => server.client.get<Slice>(Resources.Slice, { namespace: TEAM, name });
  const says = (name: string, type: string, text: RegExp) =>
    until(`${type} of ${name} to be ${text.source}`, async () => {
      const condition = getCondition((await read(name))?.status?.conditions, type);
      assert.match(
        `${condition?.status} ${condition?.reason} ${condition?.message}`.replace(/^(True) \w+/, '$1'),
        text,
      );
      return condition as Condition;
    });
  const podsOf = async (name: string): Promise<Pod[]> => {
    const path = `/api/v1/namespaces/${TEAM}/pods?labelSelector=slice-operator.io%2Fslice%3D${name}`;
    return (await server.client.request<{ items: Pod[] }>('GET', path)).items;
  };
  const wholes = async () => (await rightsIn(server.client, BROKER)).filter(({ spec }) => !spec.from);
  /** As `kubectl patch` of whoever runs the queue, once a node. */
  async function edit(suspended: typeof WHY | null): Promise<void> {
    for (const { metadata } of await wholes()) {
      await server.client.patch(Resources.ResourceCapability, metadata, { spec: { suspended } });
    }
  }

  it('loses its pods, is told by whom and why, and its neighbour is not touched', async () => {
    const given = (await rightsIn(server.client, TEAM))
      .filter(({ spec }) => spec.redeem)
      .map((one) => one.metadata.uid);
    await edit(WHY);
    await says(
      'served',
      'Ready',
      /^False Suspended 0 of 2 running; suspended-1: .* by the holder of right suspending-q/,
    );
    await until('its pods to be gone', async () => assert.deepEqual(await podsOf('served'), []));
    const { suspendedBy } = (await read('served'))!.status!;
    const names = new Map((await wholes()).map(({ metadata, spec }) => [spec.nodeName, metadata.name]));
    assert.deepEqual(
      suspendedBy,
      ['suspended-1', 'suspended-2'].map((node) => ({ node, right: `${BROKER}/${names.get(node)}`, ...WHY })),
    );
    assert.equal((await podsOf('own')).length, 2);
    await says('own', 'Ready', /^True 2 of 2 running/);
    const kept = (await rightsIn(server.client, TEAM)).filter(({ spec }) => spec.redeem).map((one) => one.metadata.uid);
    assert.deepEqual(kept, given, 'the broker took nothing back');
    assert.ok(
      (await wholes()).every(({ spec }) => spec.suspended),
      'and left the edit as it is',
    );
  });

  it('is not freed by its author: by no edit of his, of the Slice or of his rights', async () => {
    const patch = { spec: { suspended: false, contact: 'author@example.org', sliver: { image: 'example.org/web:2' } } };
    await server.client.patch(Resources.Slice, { namespace: TEAM, name: 'served' }, patch);
    const given = (await rightsIn(server.client, TEAM)).filter(({ spec }) => spec.redeem);
    for (const { metadata } of given) {
      const edited = { spec: { suspended: null, contact: 'author@example.org' } };
      await server.client.patch(Resources.ResourceCapability, metadata, edited);
    }
    await until('the nodes to have seen it', async () => {
      for (const { metadata, status } of (await rightsIn(server.client, TEAM)).filter(({ spec }) => spec.redeem)) {
        assert.equal(status?.observedGeneration, metadata.generation);
        assert.deepEqual(status?.suspendedBy?.[0]?.reason, WHY.reason);
      }
    });
    await until('the operator to have seen it', async () => {
      const { metadata, status } = (await read('served'))!;
      assert.equal(status?.observedGeneration, metadata.generation);
    });
    await says('served', 'Ready', /^False Suspended/);
    assert.deepEqual(await podsOf('served'), []);
  });

  it('runs again when it is lifted', async () => {
    await edit(null);
    await says('served', 'Ready', /^True 2 of 2 running/);
    assert.equal((await read('served'))!.status!.suspendedBy, undefined);
  });

  it('gets no other window when it is deleted and made again, before that is lifted', async () => {
    await edit(WHY);
    await says('served', 'Ready', /^False Suspended/);
    await server.client.remove(Resources.Slice, { namespace: TEAM, name: 'served' });
    await until('the Slice to be gone', async () => assert.equal(await read('served'), undefined));
    await queue('served');
    await says('served', 'Queued', /^True suspended by whoever runs the queue \(ops@queue.example\) until /);
    assert.equal((await wholes()).length, 2);
    await edit(null);
    await says('served', 'Ready', /^True 2 of 2 running/);
  });
});
