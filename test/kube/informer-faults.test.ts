/** Servers that refuse, and those who fail when they are told. */
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { eventually, settle } from './eventually.ts';
import { Followed } from './followed.ts';

describe('informer', () => {
  let world: Followed;

  beforeEach(async () => {
    world = await Followed.start();
  });
  afterEach(() => world.stop());

  for (const [verb, code, reason] of [
    ['LIST', 403, 'Forbidden'],
    ['WATCH', 403, 'Forbidden'],
    ['LIST', 404, 'NotFound'],
    ['WATCH', 404, 'NotFound'],
    ['LIST', 410, 'Expired'],
    ['LIST', 500, 'InternalError'],
    ['WATCH', 503, 'ServiceUnavailable'],
    ['WATCH', 504, 'Timeout'],
  ] as const) {
    it(`survives ${code} at ${verb}, three times`, async () => {
      world.server.put('a');
      world.server.refuse(verb, code, reason, 3);
      world.follow();
      await world.catchesUp();
      await eventually('a fourth attempt', () => world.server.count(verb) >= 4);
      await world.catchesUp();
    });
  }

  it('survives that everything is refused, and connections with it', async () => {
    world.follow();
    await world.watching();
    world.server.fault('ANY', ({ response }) => void response.destroy(), 2);
    world.server.refuse('ANY', 503, 'ServiceUnavailable', 2);
    for (const { response } of world.server.watches) response.destroy();
    await eventually('all faults to be met', () => world.server.count('WATCH') >= 5);
    await world.catchesUp();
  });

  it('waits as long as it is asked', async () => {
    world.server.refuse('LIST', 429, 'TooManyRequests', 1, { 'retry-after': '1' });
    const timers = mock.method(globalThis, 'setTimeout');
    world.follow();
    await world.informer.whenSynced();
    timers.mock.restore();
    // the first back-off by itself is 200 ms at most
    assert.ok(timers.mock.calls.some((call) => call.arguments[1] === 1_000));
  });

  it('goes on with a new token when its own is refused in a watch', async () => {
    world.server.token = 'first';
    world.follow();
    await world.watching();
    world.server.token = 'second';
    world.server.writeToken('second');
    for (const { response } of world.server.watches) response.end();
    await eventually('the watch to end', () => world.server.watches.size === 0);
    await world.catchesUp();
    assert.equal(world.server.seen.at(-1)?.authorization, 'Bearer second');
  });

  it('survives who is told of changes', async () => {
    world.follow({
      onChange(key) {
        world.told.push(key);
        throw new Error('not today');
      },
    });
    await world.watching();
    world.server.put('a');
    await world.catchesUp();
    assert.deepEqual(world.told, ['ns/a', 'ns/later']);
  });

  it('stops while it waits for an answer, and leaves nobody waiting', async () => {
    world.server.fault('LIST', () => undefined);
    world.follow();
    await eventually('a list that nobody answers', () => world.server.count('LIST') === 1);
    await world.informer.stop();
    await world.informer.whenSynced();
    assert.equal(world.informer.store.synced, false);
    const asked = world.server.seen.length;
    await settle(50);
    assert.equal(world.server.seen.length, asked);
  });
});
