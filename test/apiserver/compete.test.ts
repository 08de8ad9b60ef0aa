/** Brokers that compete for the same nodes: a real API server, the real operator and queue broker, the nodes' real admission. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { grantsOf } from '../../node-daemonset/admission/ledger.ts';
import { offered, policyOf } from '../../node-daemonset/admission/policy.ts';
import type { QueueBroker } from '../../operator/brokers/queue/broker.ts';
import type { Node } from '../../operator/kinds.ts';
import { replay, type Replayed } from '../node-daemonset/admission/replay.ts';
import { apiServer, removeSlices, until, type ApiServer } from './fixture.ts';
import { OPEN, rightsIn, SIZE, startNodes, type AdmittingNodes } from './operator/nodes.ts';
import { startProcess, type Process } from './operator/process.ts';
import { startQueue } from './operator/queue.ts';
import { Rivals } from './operator/rivals.ts';
import { startWorld, type World } from './operator/world.ts';

const NODES = ['compete-1', 'compete-2'];
const namespaces = { hand: 'rival-hand', slices: 'rival-slices', queued: 'rival-queued', broker: 'rival-queue' };
const MINE = new Set(Object.values(namespaces));

describe('brokers that compete, on a real API server', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  let nodes: AdmittingNodes;
  let queue: QueueBroker | undefined;
  let rivals: Rivals;

  before(async () => {
    server = await apiServer();
    await removeSlices(server);
    world = await startWorld(server.client, { answers: false });
    operator = await startProcess(server);
    for (const name of MINE) await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const made: Node[] = [];
    for (const name of NODES) made.push(await world.addNode(name, { of: 'compete' }));
    nodes = await startNodes(server.client, made);
    queue = await startQueue(server.client, namespaces.broker);
    const sliver = { image: 'example.org/web:1' };
    rivals = new Rivals({
      client: server.client,
      nodes: NODES,
      nodeSelector: { of: 'compete' },
      namespaces,
      sliver,
      seed: 7,
    });
  });
  after(async () => {
    await queue?.stop();
    await nodes?.stop();
    await operator?.stop();
    await world?.stop();
  });

  const books = (): Replayed[] => {
    const offer = offered(policyOf(OPEN), { ...SIZE, uid: '' } as never, 0);
    return nodes.nodes.map(({ log }) => replay(log, offer));
  };
  const askedBy = (of: readonly Replayed[], namespace: string): number =>
    of.flatMap(({ granted, refused }) => [...granted, ...refused]).filter((one) => one.namespace === namespace).length;

  it('never get more than there is at any instant, and a reason where they get nothing', async () => {
    const isDone = (all: readonly Replayed[]): boolean =>
      [...MINE].every((namespace) => askedBy(all, namespace) > 0) && all.some(({ refused }) => refused.length > 0);
    await rivals.compete(['hand', 'slices', 'queued'], 8_000, 60);
    // whoever was refused for a while comes later
    for (let more = 0; more < 10 && !isDone(books()); more++) {
      await rivals.compete(['hand', 'slices', 'queued'], 4_000, 60);
    }
    const all = books();
    for (const namespace of MINE) assert.ok(askedBy(all, namespace) > 0, `nothing was asked in ${namespace}`);
    assert.ok(
      all.some(({ refused }) => refused.length > 0),
      'they competed for nothing',
    );
  });

  it('do not notice that one of them stops', async () => {
    const held = await rightsIn(server.client, namespaces.queued);
    await queue!.stop();
    queue = undefined;
    await until('answers to all that it had asked', async () => {
      for (const { metadata, status } of await rightsIn(server.client, namespaces.broker)) {
        assert.ok((status?.observedGeneration ?? 0) >= metadata.generation!, metadata.name);
      }
    });
    const before = books();
    await rivals.compete(['hand', 'slices', 'queued'], 4_000, 60);
    const answered = (now: readonly Replayed[]): boolean =>
      [namespaces.hand, namespaces.slices].every((one) => askedBy(now, one) > askedBy(before, one));
    for (let more = 0; more < 10 && !answered(books()); more++) {
      await rivals.compete(['hand', 'slices', 'queued'], 4_000, 60);
    }
    const after = books();
    for (const namespace of [namespaces.hand, namespaces.slices]) {
      assert.ok(askedBy(after, namespace) > askedBy(before, namespace), `${namespace} gets no answers`);
    }
    assert.equal(askedBy(after, namespaces.broker), askedBy(before, namespaces.broker));
    // what it had handed over holds until its window ends, or its slice goes
    const log = nodes.nodes.flatMap((node) => node.log);
    const had = new Set(log.filter(({ event }) => event === 'granted').map(({ uid }) => uid));
    // others came too late for their window, or wait for an answer
    for (const { metadata } of held.filter(({ metadata: { uid = '' } }) => had.has(uid))) {
      const end = log.findLast(({ uid, event }) => uid === metadata.uid && event !== 'granted');
      assert.ok(end === undefined || end.event === 'expired' || end.event === 'released', JSON.stringify(end));
    }
  });

  it('leave the books empty when all that they asked for is gone', async () => {
    queue = await startQueue(server.client, namespaces.broker);
    await rivals.release();
    await until('nothing to be held', async () => {
      for (const namespace of MINE) {
        const left = await rivals.list<ResourceCapability>(Resources.ResourceCapability, namespace);
        assert.deepEqual(
          left.map(({ metadata, status }) => JSON.stringify([namespace, metadata, status])),
          [],
        );
      }
      // what passed to another is remembered, so that no value is good twice
      for (const { ledger } of nodes.nodes) assert.deepEqual(grantsOf(ledger()), []);
    });
    for (const { ledger } of books()) assert.deepEqual(grantsOf(ledger), []);
  });
});
