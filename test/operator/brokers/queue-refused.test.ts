import assert from 'node:assert/strict';
import { ApiError } from '../../../kube/errors.ts';
import { API_VERSION } from '../../../crds/names.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import type { Log } from '../../../kube/log.ts';
import { applyQueue } from '../../../operator/brokers/queue/apply.ts';
import { planQueue } from '../../../operator/brokers/queue/plan.ts';
import { Refusals } from '../../../operator/brokers/queue/refusals.ts';
import { Expectations } from '../../../operator/slice/expectations.ts';
import type { ObjectRef } from '../../../operator/kinds.ts';
import { BROKER, QueueWorld } from './queue-objects.ts';

const signal = new AbortController().signal;

/** Passes of the broker with a server that refuses it everything in others' namespaces; what it was asked. */
function refusing(world: QueueWorld) {
  const asked: string[] = [];
  const memories = { refused: new Refusals(), unmoved: new Refusals(), barred: new Refusals() };
  const no =
    (verb: string) =>
    (_kind: unknown, ref: ObjectRef): Promise<unknown> => {
      // what is its own, the broker may delete
      if (verb === 'DELETE' && ref.namespace === BROKER) {
        return Promise.resolve(world.rights.delete(`${BROKER}/${ref.name}`));
      }
      asked.push(`${verb} ${ref.name}`);
      return Promise.reject(new ApiError(verb, 403, JSON.stringify({ reason: 'Forbidden', message: 'forbidden' })));
    };
  const client = { patch: no('PATCH'), remove: no('DELETE'), get: no('GET') };
  const add = (kind: keyof typeof memories) => (uid: string, message: string) =>
    void memories[kind].add(uid, message, world.now);
  const pass = async () => {
    const all = { refused: memories.refused.all, unmoved: memories.unmoved.all, barred: memories.barred.all };
    const plan = planQueue({ ...world.input(), ...all }, world.now);
    const again = await applyQueue(
      plan,
      {
        client: client as unknown as ApiClient,
        log: { warn: () => undefined } as unknown as Log,
        expectations: new Expectations(() => 0),
        refused: add('refused'),
        barred: add('barred'),
        now: () => world.now,
      },
      signal,
    );
    return { again, wakeAt: plan.wakeAt };
  };
  return { asked, pass };
}

describe('a namespace that refuses the queue', () => {
  it('is asked once, and again after 10 s, 20 s and so on: not in each pass', async () => {
    const world = new QueueWorld('n1');
    world.add('stranger');
    const { asked, pass } = refusing(world);
    await pass();
    for (let n = 0; n < 20; n++) assert.deepEqual(await pass(), { again: false, wakeAt: world.now + 10_000 });
    assert.deepEqual(asked, ['PATCH stranger']);
    world.now += 10_000;
    await pass();
    for (let n = 0; n < 20; n++) assert.deepEqual(await pass(), { again: false, wakeAt: world.now + 20_000 });
    assert.deepEqual(asked, ['PATCH stranger', 'PATCH stranger']);
  });

  it('keeps no place from others', () => {
    const world = new QueueWorld('n1');
    for (let n = 0; n < 100; n++) {
      const { uid } = world.add(`stranger-${n}`).metadata;
      world.barred.set(uid!, { message: 'forbidden', until: world.now + 10_000 });
    }
    world.add('friend');
    world.settle();
    assert.match(world.queued('friend')!.message, /^place 1 of 1, open until/);
    assert.equal(world.queued('stranger-0'), undefined);
  });
});

describe('what was given by the queue and is kept by others', () => {
  const bait = (world: QueueWorld, namespace: string, name: string): void => {
    const labels = { 'slice-operator.io/queued': `uid-of-${name}` };
    const metadata = { namespace, name: `bait-${name}`, uid: `bait-${name}`, generation: 1, labels };
    const spec = { nodeName: 'n1', contact: 'abc', redeem: 'nothing' };
    const right: ResourceCapability = { apiVersion: API_VERSION, kind: 'ResourceCapability', metadata, spec };
    world.rights.set(`${namespace}/bait-${name}`, { ...right, status: { observedGeneration: 1 } });
  };

  it('holds no window of a slice that is gone: labelled in another namespace', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b']) {
      world.add(name);
      bait(world, 'evil', name);
    }
    world.settle();
    for (const name of ['a', 'b']) world.remove(name);
    const { effects } = world.plan();
    assert.deepEqual(
      effects.filter((one) => one.kind === 'remove' && one.ref.namespace === 'evil'),
      [],
    );
    world.settle();
    world.add('victim');
    world.settle();
    assert.match(world.queued('victim')!.message, /^place 1 of 1, open until/);
    assert.deepEqual(world.heldBy('a'), ['given evil/n1']);
  });

  it('holds no window either where the namespace lets nothing be deleted any more', async () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b']) world.add(name);
    world.settle();
    bait(world, 'site', 'b');
    world.remove('b');
    const { asked, pass } = refusing(world);
    for (let n = 0; n < 20; n++) assert.equal((await pass()).again, false);
    assert.equal(asked.filter((one) => one === 'DELETE bait-b').length, 1);
    assert.deepEqual(world.heldBy('b'), ['given site/n1']);
  });
});

describe('a node that refuses the queue', () => {
  for (const policy of [{}, { policy: 'Spread', topologyKey: 'rack' }] as const) {
    it(`swallows no slice beside nodes that are idle, with policy ${'policy' in policy ? policy.policy : 'Any'}`, () => {
      const world = new QueueWorld('n1', 'n2', 'n3');
      world.decide = ({ spec }) => (spec.nodeName === 'n3' ? undefined : 'NamespaceRefused');
      world.add('a', { placement: { count: 1, ...policy } });
      for (let n = 0; n < 3; n++) {
        world.settle();
        world.now += 10_000;
      }
      assert.deepEqual(world.heldBy('a'), ['given site/n3', 'whole queue/n3']);
    });
  }

  it('is asked again where there is no other, first who refused first', () => {
    const world = new QueueWorld('n1', 'n2');
    const asked: string[] = [];
    world.decide = ({ spec }) => {
      asked.push(spec.nodeName);
      return 'NamespaceRefused';
    };
    world.add('a', { placement: { count: 1 } });
    for (let n = 0; n < 5; n++) {
      world.settle();
      world.now += 10_000;
    }
    assert.deepEqual(asked, ['n1', 'n2', 'n1', 'n2', 'n1']);
  });
});
