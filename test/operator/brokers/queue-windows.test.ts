/** Windows: when they open, what is reserved for them, and when they end. */
import assert from 'node:assert/strict';
import { at } from '../slice/objects.ts';
import { HOUR, QueueWorld } from './queue-objects.ts';
import { checkApart, time } from './queue-spans.ts';

describe('the queue', () => {
  it('opens the first window at once, hands its rights over, and puts the others behind it', () => {
    const world = new QueueWorld('n1', 'n2');
    for (const name of ['a', 'b', 'c']) world.add(name);
    world.settle(() => checkApart(world));
    assert.deepEqual(world.heldBy('a'), ['given site/n1', 'given site/n2', 'whole queue/n1', 'whole queue/n2']);
    assert.deepEqual(world.heldBy('b'), ['whole queue/n1', 'whole queue/n2']);
    const told = ['a', 'b', 'c'].map((name) => [world.queued(name)!.status, world.queued(name)!.message]);
    assert.deepEqual(told, [
      ['False', `place 1 of 3, open until ${time(HOUR)}`],
      ['True', `place 2 of 3, opens at ${time(HOUR)}`],
      ['True', `place 3 of 3, opens at ${time(2 * HOUR)}`],
    ]);
  });

  it('opens the next when a window ends, and gives a slice one window', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b']) world.add(name);
    world.settle();
    world.now += HOUR;
    world.settle(() => checkApart(world));
    assert.deepEqual(world.heldBy('a'), []);
    assert.equal(world.queued('a')!.reason, 'Over');
    assert.equal(world.queued('b')!.message, `place 1 of 1, open until ${time(2 * HOUR)}`);
    world.now += 10 * HOUR;
    world.settle();
    assert.deepEqual([...world.rights.keys()], []);
    assert.deepEqual(
      ['a', 'b'].map((name) => world.queued(name)!.reason),
      ['Over', 'Over'],
    );
  });

  it('gives windows as long as they are asked for, within spec.window, and none that is shorter', () => {
    const world = new QueueWorld('n1');
    world.add('a', {}, 60);
    world.add('b', { window: { start: at(HOUR) } }, 120);
    world.add('c', { window: { end: at(HOUR) } });
    world.add('d', {}, 4 * 3600 + 1);
    world.settle(() => checkApart(world));
    assert.match(world.queued('a')!.message, new RegExp(`open until ${time(60_000)}`));
    assert.match(world.queued('b')!.message, new RegExp(`opens at ${time(HOUR)}`));
    assert.match(world.queued('c')!.message, /its window would end at .*, and spec.window ends at /);
    assert.match(world.queued('d')!.message, /slice-operator.io\/window-seconds must be whole seconds, 1 to 14400/);
    assert.deepEqual([...world.heldBy('c'), ...world.heldBy('d')], []);
  });

  it('reserves nothing for a slice whose place was not told yet', () => {
    const world = new QueueWorld('n1');
    world.add('a');
    assert.deepEqual([world.plan().effects, world.plan().told.length], [[], 1]);
  });

  it('leaves a slice where it is when a node refuses the earlier window', () => {
    const world = new QueueWorld('n1', 'n2');
    for (const name of ['a', 'b']) world.add(name);
    world.settle();
    world.remove('a');
    world.decide = ({ spec }) =>
      spec.nodeName === 'n2' && spec.window?.start !== time(HOUR) ? 'somebody has it' : undefined;
    world.settle(() => checkApart(world));
    assert.equal(world.queued('b')!.message, `place 1 of 1, opens at ${time(HOUR)}`);
    assert.deepEqual(
      [...world.rights.values()].map(({ spec, status }) => [spec.window!.start, status!.granted!.window!.start]),
      [
        [time(HOUR), time(HOUR)],
        [time(HOUR), time(HOUR)],
      ],
    );
    assert.equal(world.plan().wakeAt, world.now + 10_000, 'and tries again');
  });

  it('keeps the window of what was given until its node says that it is back, whoever has it by then', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b']) world.add(name);
    world.settle();
    const given = [...world.rights.values()].find(({ spec }) => spec.redeem)!;
    // its holder passed it on, and released what he had
    world.rights.delete(`${given.metadata.namespace}/${given.metadata.name}`);
    world.remove('a');
    world.settle(() => checkApart(world));
    assert.deepEqual(world.heldBy('a'), ['whole queue/n1']);
    assert.match(world.queued('b')!.message, new RegExp(`opens at ${time(HOUR)}`));
    world.now += HOUR;
    world.settle(() => checkApart(world));
    assert.deepEqual(world.heldBy('a'), []);
    assert.match(world.queued('b')!.message, /place 1 of 1, open until/);
  });

  it('does not count a window as had that nobody opened', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b']) world.add(name);
    world.settle();
    world.now += 5 * HOUR;
    world.settle(() => checkApart(world));
    assert.equal(world.queued('a')!.reason, 'Over');
    assert.match(world.queued('b')!.message, new RegExp(`place 1 of 1, open until ${time(6 * HOUR)}`));
  });

  it('reserves on each node what the slice asks for there, with its overrides', () => {
    const world = new QueueWorld('n1', 'n2');
    const overrides = [{ name: 'more', node: 'n2', resources: { cpu: { shares: 300 } } }];
    world.add('a', { share: 100, overrides });
    world.settle();
    const reserved = [...world.rights.values()].filter(({ metadata }) => metadata.namespace === 'queue');
    assert.deepEqual(Object.fromEntries(reserved.map(({ spec }) => [spec.nodeName, spec.resources?.cpu?.shares])), {
      n1: 100,
      n2: 300,
    });
  });

  it('believes no labels in other namespaces', () => {
    const world = new QueueWorld('n1');
    world.add('a');
    world.settle();
    for (const right of [...world.rights.values()]) {
      const uid = `forged-${right.metadata.name}`;
      const labels = { ...right.metadata.labels, 'slice-operator.io/queued': 'uid-of-nobody' };
      const forged = { ...right, metadata: { ...right.metadata, namespace: 'evil', uid, labels } };
      world.rights.set(`evil/${uid}`, forged);
    }
    assert.deepEqual(world.plan().effects, []);
    world.add('b');
    world.settle();
    assert.match(world.queued('b')!.message, new RegExp(`opens at ${time(HOUR)}`));
  });
});
