import assert from 'node:assert/strict';
import { ApiError } from '../../../kube/errors.ts';
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
  it('holds no window of a slice that is gone: labelled in another namespace', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b']) {
      world.add(name);
      world.bait(name, 'evil');
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
    const name = world.bait('b', 'site').replace('site/', '');
    world.remove('b');
    const { asked, pass } = refusing(world);
    for (let n = 0; n < 20; n++) assert.equal((await pass()).again, false);
    assert.equal(asked.filter((one) => one === `DELETE ${name}`).length, 1);
    assert.deepEqual(world.heldBy('b'), ['given site/n1']);
  });
});

describe('what is in the way of a window of the queue', () => {
  /** Writes in so many passes at one instant, and those in the slices' namespace. */
  const writes = (world: QueueWorld): string[] =>
    Array.from({ length: 50 }, () => {
      const { effects } = world.plan();
      world.step();
      return effects.map((one) => {
        const { namespace } = 'ref' in one ? one.ref : one.object.metadata;
        return `${one.kind} ${namespace}`;
      });
    }).flat();

  it('keeps all of the slice from reserving, is deleted once, and is named', () => {
    const world = new QueueWorld('n1', 'n2');
    const key = world.bait('a', 'site', { finalizers: ['a.b/c'] });
    world.add('a');
    assert.deepEqual(writes(world), ['remove site']);
    const { reason, message } = world.queued('a')!;
    const why = 'is in the way, until it is gone (its pod and its finalizers keep it)';
    assert.equal(`${reason}: ${message}`, `Refused: rcap ${key} ${why}`);
    world.add('b');
    world.settle();
    assert.match(world.queued('b')!.message, /^place 1 of 1, open until/, 'nobody else waits for it');
    world.rights.delete(key);
    world.settle();
    assert.match(world.queued('a')!.message, /^place 2 of 2, opens at/);
  });

  it('ends a reservation once in the time of a back-off, however often it is made anew', () => {
    const world = new QueueWorld('n1', 'n2');
    world.add('first');
    world.settle();
    world.add('a');
    world.settle();
    for (let n = 0; n < 3; n++) {
      const made: string[] = [];
      for (let again = 0; again < 20; again++) {
        const key = world.bait('a', 'site', { finalizers: ['a.b/c'] });
        made.push(...writes(world));
        world.rights.delete(key);
        made.push(...writes(world));
      }
      assert.deepEqual(
        made.filter((one) => one === 'remove queue'),
        ['remove queue', 'remove queue'],
      );
      assert.ok(!made.some((one) => one.startsWith('create')), made.join());
      assert.equal(world.queued('a')!.reason, 'Refused');
      world.now += 10_000;
      world.settle();
      assert.match(world.queued('a')!.message, /^place 2 of 2, opens at/);
    }
  });

  it('is none of another name, though it has the label', () => {
    const world = new QueueWorld('n1');
    world.bait('a', 'site', { name: 'bait', finalizers: ['a.b/c'] });
    world.add('a');
    world.settle();
    assert.match(world.queued('a')!.message, /^place 1 of 1, open until/);
    assert.equal(world.rights.get('site/bait')!.metadata.deletionTimestamp, undefined);
  });

  it('is refused, too, where the window has come before anything was handed over', () => {
    const world = new QueueWorld('n1', 'n2');
    world.add('a');
    while (world.heldBy('a').length === 0) world.step();
    world.bait('a', 'site', { finalizers: ['a.b/c'] });
    world.settle();
    assert.equal(world.queued('a')!.reason, 'Refused');
    assert.deepEqual(world.heldBy('a'), ['given site/n1']);
  });

  it('is what a reservation that somebody deleted left with the slice: it is taken back, and another window is given', () => {
    const world = new QueueWorld('n1');
    world.add('a');
    world.settle();
    for (const [key, { spec }] of world.rights) if (!spec.redeem) world.rights.delete(key);
    assert.deepEqual(writes(world), ['remove site', 'create queue', 'create queue', 'give site', 'remove queue']);
    assert.deepEqual(world.heldBy('a'), ['given site/n1', 'whole queue/n1']);
    assert.equal(world.queued('a')!.reason, 'Open');
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
