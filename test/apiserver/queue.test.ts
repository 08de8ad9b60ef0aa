/** The queue broker and the operator against a real API server, with the nodes' real admission. */
import assert from 'node:assert/strict';
import { getCondition, type Condition } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { rightsIn } from './operator/nodes.ts';
import { queueSlice, startQueuedWorld } from './operator/queue.ts';

const [BROKER, TEAM] = ['queue-broker', 'queue-team'];

describe('the queue broker, on a real API server', () => {
  let server: ApiServer;
  let stop: () => Promise<void>;

  before(async () => {
    server = await apiServer();
    stop = await startQueuedWorld(server, { broker: BROKER, team: TEAM, nodeNames: ['queue-1', 'queue-2'] });
  });
  after(() => stop());

  const apply = (name: string, seconds?: number) =>
    queueSlice(server.client, {
      name,
      namespace: TEAM,
      broker: BROKER,
      spec: { placement: { nodeSelector: { of: TEAM } } },
      ...(seconds !== undefined && { seconds }),
    });

  const read = (name: string) => server.client.get<Slice>(Resources.Slice, { namespace: TEAM, name });
  const conditionOf = async (name: string, type: string): Promise<Condition | undefined> =>
    getCondition((await read(name))?.status?.conditions, type);
  const says = (name: string, type: string, text: RegExp) =>
    until(`${type} of ${name} to be ${text.source}`, async () => {
      const condition = await conditionOf(name, type);
      assert.match(`${condition?.status} ${condition?.message}`, text);
      return condition!;
    });
  const wholes = async () => (await rightsIn(server.client, BROKER)).filter(({ spec }) => !spec.from);

  it('gives three slices an exclusive window each, in their order', async () => {
    for (const name of ['a', 'b', 'c']) {
      await apply(name);
      await says(name, 'Queued', /place/);
    }
    await says('a', 'Queued', /^False place 1 of 3, open until /);
    await says('b', 'Queued', /^True place 2 of 3, opens at /);
    await says('c', 'Queued', /^True place 3 of 3, opens at /);
    await says('a', 'Ready', /^True 2 of 2 running/);
    const windows = Map.groupBy(await wholes(), ({ spec }) => spec.nodeName);
    assert.equal(windows.size, 2);
    for (const own of windows.values()) assertApart(own);
    await says('b', 'Allocated', /^False 0 of 2 granted; waits for the broker in namespace queue-broker/);
  });

  it('holds the rights itself, and the slice’s namespace has but what was handed over', async () => {
    const given = await rightsIn(server.client, TEAM);
    assert.deepEqual(
      given.map(({ spec, status }) => [
        spec.sliceName,
        spec.redeem !== undefined,
        status?.granted?.from?.split('/')[0],
      ]),
      [
        ['a', true, BROKER],
        ['a', true, BROKER],
      ],
    );
    assert.equal((await wholes()).length, 6);
    await until('the parts to be put away', async () =>
      assert.equal((await rightsIn(server.client, BROKER)).length, 6),
    );
  });

  it('moves the others up when a slice goes early', async () => {
    const before = (await says('c', 'Queued', /opens at/)).message;
    await server.client.remove(Resources.Slice, { namespace: TEAM, name: 'a' });
    await says('b', 'Ready', /^True 2 of 2 running/);
    await says('b', 'Queued', /^False place 1 of 2, open until /);
    const after = (await says('c', 'Queued', /^True place 2 of 2, opens at /)).message;
    await until('c to be moved up', async () => {
      assert.notEqual((await conditionOf('c', 'Queued'))!.message.slice(-20), before.slice(-20), after);
    });
    for (const own of Map.groupBy(await wholes(), ({ spec }) => spec.nodeName).values()) assertApart(own);
  });

  it('reserves nothing for a slice before what its namespace keeps in the way is gone', async () => {
    const ofC = async () => (await wholes()).filter(({ metadata }) => metadata.name.startsWith('c-'));
    const [whole] = await ofC();
    const { name, labels } = whole!.metadata;
    const bait = { namespace: TEAM, name: `${name}-given` };
    await server.client.create<ResourceCapability>({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { ...bait, labels: labels!, finalizers: ['example.org/kept'] },
      spec: { nodeName: whole!.spec.nodeName, contact: 'ops@example.org', redeem: 'nothing' },
    });
    await says('c', 'Queued', new RegExp(`^True rcap ${TEAM}/${bait.name} is in the way`));
    await until('its windows to be dropped', async () => assert.deepEqual(await ofC(), []));
    await server.client.patch(Resources.ResourceCapability, bait, { metadata: { finalizers: null } });
    await says('c', 'Queued', /^True place 2 of 2, opens at /);
    assert.equal(await server.client.get(Resources.ResourceCapability, bait), undefined);
  });
});

/** No window of one slice meets that of another, asked for or granted. */
function assertApart(rights: readonly ResourceCapability[]): void {
  const windows = rights
    .map(({ spec, status }) => [spec.window!, status!.granted!.window!])
    .map((both) => ({
      start: Math.min(...both.map(({ start }) => Date.parse(start!))),
      end: Math.max(...both.map(({ end }) => Date.parse(end!))),
    }))
    .toSorted((a, b) => a.start - b.start);
  for (const [index, { start }] of windows.entries()) {
    assert.ok(index === 0 || windows[index - 1]!.end <= start, JSON.stringify(windows));
  }
}
