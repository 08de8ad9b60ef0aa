/**
 * The queue broker dies at each of its writes in turn, before and after the server has seen it, and is started again: the end is
 * the same as undisturbed, nothing is granted twice, and no two windows ever meet.
 */
import assert from 'node:assert/strict';
import type { QueueBroker } from '../../operator/brokers/queue/broker.ts';
import { Resources, type KubeObject } from '../../kube/resources.ts';
import type { Logged } from '../node-daemonset/admission/replay.ts';
import { apiServer, removeSlices, until, type ApiServer } from './fixture.ts';
import { rightsIn, startNodes, type AdmittingNodes } from './operator/nodes.ts';
import { startProcess, watchedClient, type Crash, type Process, type Write } from './operator/process.ts';
import { queuedOf, queueSlice, startQueue } from './operator/queue.ts';
import { startWorld, type World } from './operator/world.ts';

const NODE = 'queue-crash';

describe('a queue broker that dies at a write', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let nodes: AdmittingNodes;
  let serial = 0;

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client, { answers: false });
    operator = await startProcess(server);
    nodes = await startNodes(server.client, [await world.addNode(NODE, { of: NODE })]);
  });
  after(async () => {
    await nodes?.stop();
    await operator?.stop();
    await world?.stop();
  });

  /** Two slices; the first has its window, goes early, and the second is moved up. */
  async function tell(crash: Crash | undefined): Promise<{ story: unknown[]; writes: Write[]; crashed: boolean }> {
    const [broker, team] = [`crash-queue-${++serial}`, `crash-team-${serial}`];
    for (const name of [broker, team]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    const since = nodes.nodes[0]!.log.length;
    const writes: Write[] = [];
    const brokers: QueueBroker[] = [];
    let crashed = false;
    let restarting: Promise<void> | undefined;
    async function start(dies: Crash | undefined): Promise<void> {
      const died = Promise.withResolvers<void>();
      const one = await startQueue(watchedClient(await server.connect(), writes, dies, died.resolve), broker);
      brokers.push(one);
      const again = async () => {
        await died.promise;
        crashed = true;
        restarting = one.stop().then(() => start(undefined));
      };
      void again();
    }
    const says = (name: string, text: RegExp) =>
      until(`${name} to be told ${text.source}`, async () => {
        const { status, message } = (await queuedOf(server.client, team, name)) ?? {};
        assert.match(`${status} ${message}`, text);
      });
    const runs = (name: string) =>
      until(`${name} to run`, async () => {
        const slice = await server.client.get<KubeObject & { status?: { nodes?: { running: number } } }>(
          Resources.Slice,
          { namespace: team, name },
        );
        assert.equal(slice?.status?.nodes?.running, 1);
      });
    /** What there is, without times and hashes. */
    const held = async () => {
      const rights = [...(await rightsIn(server.client, broker)), ...(await rightsIn(server.client, team))];
      return rights.map(({ metadata, spec }) => [
        metadata.namespace === broker ? 'broker' : 'team',
        metadata.name.replace(/-[0-9a-f]{10}/, ''),
        spec.sliceName,
      ]);
    };
    const story: unknown[] = [];
    await start(crash);
    const placement = { nodeSelector: { of: NODE } };
    await queueSlice(server.client, { name: 'a', namespace: team, broker, spec: { placement } });
    await says('a', /^False place 1 of 1, open until/);
    await runs('a');
    await queueSlice(server.client, { name: 'b', namespace: team, broker, spec: { placement } });
    await says('b', /^True place 2 of 2, opens at/);
    await until('the part of a to be put away', async () => assert.equal((await held()).length, 3));
    story.push(await held());
    await server.client.remove(Resources.Slice, { namespace: team, name: 'a' });
    await says('b', /^False place 1 of 1, open until/);
    await runs('b');
    await until('the part of b to be put away', async () => assert.equal((await held()).length, 2));
    story.push(await held());
    await server.client.remove(Resources.Slice, { namespace: team, name: 'b' });
    await until('nothing to be left', async () => assert.deepEqual(await held(), []));
    await restarting;
    for (const one of brokers) await one.stop();
    const log = nodes.nodes[0]!.log.slice(since);
    checkApart(log, broker);
    story.push(granted(log));
    return { story, writes, crashed };
  }

  it('comes to the same end, and nothing is granted twice', async function () {
    this.timeout(900_000);
    const undisturbed = await tell(undefined);
    assert.deepEqual(undisturbed.story.at(-1), { denied: 0, granted: 6, transferred: 2 });
    let crashes = 0;
    for (let at = 1; at <= undisturbed.writes.length; at++) {
      for (const when of ['before', 'after'] as const) {
        const where = `died ${when} write ${at}: ${JSON.stringify(undisturbed.writes[at - 1])}`;
        const { story, crashed } = await tell({ at, when }).catch((error: unknown) => {
          throw new Error(where, { cause: error });
        });
        if (crashed) crashes++;
        assert.deepEqual(story, undisturbed.story, where);
      }
    }
    assert.ok(crashes >= undisturbed.writes.length, `${crashes} crashes`);
  });
});

/** How many rights were granted, handed over and refused. */
function granted(log: readonly Logged[]): Record<string, number> {
  const count = (event: string) => log.filter((one) => one.event === event).length;
  return { granted: count('granted'), transferred: count('transferred'), denied: count('denied') };
}

/** By the node's log, at every line: no two of the broker's own windows meet. */
function checkApart(log: readonly Logged[], broker: string): void {
  const held = new Map<string, { start: number; end: number }>();
  for (const { event, uid, namespace, name, grant } of log) {
    if (event === 'granted' || event === 'renewed') {
      const { start = -Infinity, end = Infinity } = grant!.period;
      if (namespace === broker && grant!.parent === undefined) held.set(uid, { start, end });
    } else if (event !== 'denied' && event !== 'resizeDenied') held.delete(uid);
    for (const [one, a] of held) {
      for (const [other, b] of held) {
        assert.ok(one === other || a.end <= b.start || b.end <= a.start, `${name}: two windows meet`);
      }
    }
  }
}
