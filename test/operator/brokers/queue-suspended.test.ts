import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../crds/types.ts';
import { HOUR, QueueWorld } from './queue-objects.ts';

const WHY = { reason: 'probes our customers', contact: 'ops@queue.example' };

/** As whoever runs the queue edits the reservations of a slice. */
function suspend(
  world: QueueWorld,
  name: string,
  suspended: ResourceCapability['spec']['suspended'] | null = WHY,
): void {
  for (const [key, right] of world.rights) {
    const { spec, metadata } = right;
    if (metadata.namespace !== 'queue' || spec.from || metadata.labels?.['slice-operator.io/slice'] !== name) continue;
    const { suspended: _, ...rest } = spec;
    const next = { ...metadata, generation: metadata.generation! + 1 };
    world.rights.set(key, { ...right, metadata: next, spec: { ...rest, ...(suspended && { suspended }) } });
  }
}

const saying = (world: QueueWorld): string[] =>
  [...world.rights.values()].filter(({ spec }) => spec.suspended).map(({ spec }) => spec.nodeName);

describe('slices that whoever runs the queue suspends', () => {
  it('keep what they were given, before their node has answered the edit and after, and nobody lifts it for them', () => {
    const world = new QueueWorld('n1', 'n2');
    world.add('a');
    world.settle();
    const held = world.heldBy('a');
    world.prompt = false;
    suspend(world, 'a');
    for (let i = 0; i < 3; i++) world.step();
    assert.deepEqual(world.heldBy('a'), held, 'nothing is taken back while nodes are silent');
    world.settle();
    world.now += HOUR / 2;
    world.settle();
    assert.deepEqual(world.heldBy('a'), held);
    assert.deepEqual(saying(world), ['n1', 'n2']);
    assert.match(world.queued('a')!.message, /open until/);
    world.prompt = false;
    suspend(world, 'a', null);
    for (let i = 0; i < 3; i++) world.step();
    assert.deepEqual(world.heldBy('a'), held, 'nor where it is lifted');
  });

  it('are so from the first answer on, where it was said before', () => {
    const world = new QueueWorld('n1', 'n2');
    world.prompt = false;
    world.add('a');
    while (world.heldBy('a').length === 0) world.step();
    suspend(world, 'a');
    for (let i = 0; i < 3; i++) world.step();
    assert.deepEqual(saying(world), ['n1', 'n2']);
    world.settle();
    assert.deepEqual(saying(world), ['n1', 'n2']);
    assert.equal(world.heldBy('a').length, 4, 'its window opens, and it has its rights');
  });

  it('keep their place as it is while they wait, and their window opens and ends for them', () => {
    const world = new QueueWorld('n1', 'n2');
    for (const name of ['a', 'b']) world.add(name, { placement: { count: 2 } });
    world.settle();
    suspend(world, 'b');
    world.settle();
    assert.deepEqual(saying(world), ['n1', 'n2']);
    assert.equal(world.queued('b')!.reason, 'Suspended');
    assert.match(
      world.queued('b')!.message,
      /place 2 of 2, suspended by .* \(ops@queue.example\) until .*: probes our/,
    );
    // neither an edit of what it asks for, nor one that makes no sense, is a way out
    for (const placement of [{ count: 1, nodeSelector: { rack: 'n2' } }, { count: 7 }]) {
      world.slices = world.slices.map((one) =>
        one.metadata.name === 'b' ? { ...one, spec: { ...one.spec, placement } } : one,
      );
      world.settle();
      assert.deepEqual(world.heldBy('b'), ['whole queue/n1', 'whole queue/n2']);
    }
    world.now += HOUR;
    world.settle();
    assert.deepEqual(saying(world), ['n1', 'n2']);
    assert.match(world.queued('b')!.message, /open until/);
    assert.equal(world.heldBy('b').filter((one) => one.startsWith('given')).length, 2);
    world.now += HOUR;
    world.settle();
    assert.equal(world.queued('b')!.reason, 'Over');
    assert.deepEqual([...world.rights.keys()], []);
  });

  it('are known when they are deleted and made again, until the window ends or it is lifted', () => {
    for (const ends of [true, false]) {
      const world = new QueueWorld('n1');
      world.add('a');
      world.settle();
      suspend(world, 'a');
      world.settle();
      world.remove('a');
      world.settle();
      assert.deepEqual(world.heldBy('a'), ['whole queue/n1'], 'the reservation stays');
      const again = world.add('a');
      world.slices = world.slices.map((one) =>
        one === again ? { ...one, metadata: { ...one.metadata, uid: 'uid-of-again' } } : one,
      );
      world.add('other');
      world.settle();
      assert.equal(world.queued('a')!.reason, 'Suspended');
      assert.deepEqual(world.heldBy('again'), []);
      assert.match(world.queued('other')!.message, /opens at/, 'nobody else is held');
      if (ends) world.now += HOUR;
      else suspend(world, 'a', null);
      world.settle();
      assert.deepEqual(world.heldBy('a'), []);
      assert.notEqual(world.queued('a')!.reason, 'Suspended');
      assert.notDeepEqual(world.heldBy('again'), []);
    }
  });
});
