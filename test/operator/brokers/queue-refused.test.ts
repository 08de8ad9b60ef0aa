import assert from 'node:assert/strict';
import { ApiError } from '../../../kube/errors.ts';
import type { ApiClient } from '../../../kube/client.ts';
import type { Log } from '../../../kube/log.ts';
import { applyQueue } from '../../../operator/brokers/queue/apply.ts';
import { planQueue } from '../../../operator/brokers/queue/plan.ts';
import { Refusals } from '../../../operator/brokers/queue/refusals.ts';
import { Expectations } from '../../../operator/slice/expectations.ts';
import { QueueWorld } from './queue-objects.ts';

const signal = new AbortController().signal;

/** Passes of the broker with a server that refuses everything; what it was asked. */
function refusing(world: QueueWorld) {
  const asked: string[] = [];
  const memories = { refused: new Refusals(), unmoved: new Refusals(), barred: new Refusals() };
  const no = (verb: string) => (): Promise<never> => {
    asked.push(verb);
    return Promise.reject(new ApiError(verb, 403, JSON.stringify({ reason: 'Forbidden', message: 'forbidden' })));
  };
  const client = { patch: no('PATCH'), remove: no('DELETE'), create: no('POST'), get: no('GET') };
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
    assert.deepEqual(asked, ['PATCH']);
    world.now += 10_000;
    await pass();
    for (let n = 0; n < 20; n++) assert.deepEqual(await pass(), { again: false, wakeAt: world.now + 20_000 });
    assert.deepEqual(asked, ['PATCH', 'PATCH']);
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
