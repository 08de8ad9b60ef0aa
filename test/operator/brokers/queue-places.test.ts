/** Places in line: who has one, and who comes before whom. */
import assert from 'node:assert/strict';
import { at } from '../slice/objects.ts';
import { HOUR, QueueWorld } from './queue-objects.ts';
import { checkApart, time } from './queue-spans.ts';

describe('the queue', () => {
  it('moves the others up when a slice goes early, waiting or running', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b', 'c', 'd']) world.add(name);
    world.settle();
    world.remove('b');
    world.settle(() => checkApart(world));
    assert.match(world.queued('c')!.message, new RegExp(`place 2 of 3, opens at ${time(HOUR)}`));
    world.now += 600_000;
    world.remove('a');
    world.settle(() => checkApart(world));
    assert.equal(world.queued('c')!.message, `place 1 of 2, open until ${time(HOUR + 600_000)}`);
    assert.equal(world.queued('d')!.message, `place 2 of 2, opens at ${time(HOUR + 600_000)}`);
  });

  it('has slices with other nodes beside each other', () => {
    const world = new QueueWorld('n1', 'n2');
    for (const name of ['a', 'b', 'c']) world.add(name, { placement: { count: 1 } });
    world.settle(() => checkApart(world));
    assert.deepEqual(world.heldBy('b'), ['given site/n2', 'whole queue/n2']);
    assert.match(world.queued('c')!.message, /place 3 of 3, opens at/);
  });

  it('drops what a node refuses, holds nobody up with it, and asks again', () => {
    const world = new QueueWorld('n1', 'n2');
    for (const name of ['a', 'b']) world.add(name);
    world.decide = ({ metadata, spec }) =>
      metadata.name.startsWith('a-') && spec.nodeName === 'n2' ? 'asks 900' : undefined;
    world.settle();
    assert.deepEqual(world.heldBy('a'), []);
    assert.equal(world.queued('a')!.message, 'n2: InsufficientShares: asks 900');
    assert.match(world.queued('b')!.message, /place 1 of 1, open until/);
    world.decide = () => undefined;
    world.now += 10_000;
    world.settle(() => checkApart(world));
    assert.match(world.queued('a')!.message, new RegExp(`place 2 of 2, opens at ${time(HOUR)}`));
  });

  it('finds room for one that was refused beside those that came after it, and moves none of them back', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b', 'c']) world.add(name, {}, name === 'b' ? 7200 : 3600);
    world.decide = ({ metadata }) => (metadata.name.startsWith('b-') ? 'no' : undefined);
    world.settle();
    world.decide = () => undefined;
    world.now += 10_000;
    world.settle(() => checkApart(world));
    assert.match(world.queued('b')!.message, new RegExp(`place 3 of 3, opens at ${time(2 * HOUR)}`));
    assert.match(world.queued('c')!.message, new RegExp(`place 2 of 3, opens at ${time(HOUR)}`));
    world.remove('a');
    world.settle(() => checkApart(world));
    assert.match(world.queued('c')!.message, new RegExp(`place 1 of 2, open until`));
    assert.match(world.queued('b')!.message, new RegExp(`place 2 of 2, opens at ${time(HOUR + 10_000)}`));
  });

  it('counts nobody who gets no window as things are: neither before others nor among them', () => {
    const world = new QueueWorld('n1');
    world.add('refused');
    world.add('invalid', {}, 4 * 3600 + 1);
    world.add('many', { placement: { count: 2 } });
    world.add('spread', { placement: { policy: 'Spread', topologyKey: 'zone', count: 1 } });
    world.add('bounded', { window: { end: at(60_000) } });
    for (const name of ['a', 'b']) world.add(name);
    world.decide = ({ metadata }) => (metadata.name.startsWith('refused-') ? 'asks 900' : undefined);
    world.settle(() => checkApart(world));
    const told = ['a', 'b', 'refused', 'invalid', 'many', 'bounded'].map((name) => world.queued(name)!.message);
    assert.deepEqual(
      told.map((message) => /^place \d of \d/.exec(message)?.[0]),
      ['place 1 of 2', 'place 2 of 2', undefined, undefined, undefined, undefined],
    );
    assert.deepEqual(
      ['refused', 'invalid', 'many', 'bounded'].map((name) => world.queued(name)!.reason),
      ['Refused', 'InvalidSpec', 'TooFewNodes', 'Refused'],
    );
    assert.match(world.queued('spread')!.message, /0 match and are ready \(1 lacks the label zone, its topologyKey\)/);
  });

  it('gives one that asks for longer a window behind the others, and the others its own', () => {
    const world = new QueueWorld('n1');
    for (const name of ['a', 'b', 'c']) world.add(name);
    world.settle();
    world.prompt = false;
    world.ask('b', 7200);
    world.settle(() => checkApart(world));
    assert.match(world.queued('c')!.message, new RegExp(`place 2 of 3, opens at ${time(HOUR)}`));
    assert.match(world.queued('b')!.message, new RegExp(`place 3 of 3, opens at ${time(2 * HOUR)}`));
  });

  it('lets nobody wait for one who wants to be late', () => {
    const world = new QueueWorld('n1');
    world.add('a', { window: { start: at(10 * HOUR) } });
    world.add('b');
    world.add('c');
    world.settle(() => checkApart(world));
    assert.match(world.queued('b')!.message, /^place 1 of 3, open until/);
    assert.match(world.queued('c')!.message, new RegExp(`^place 2 of 3, opens at ${time(HOUR)}`));
    assert.match(world.queued('a')!.message, new RegExp(`^place 3 of 3, opens at ${time(10 * HOUR)}`));
    for (const name of ['d', 'e', 'f']) world.add(name, {}, 4 * 3600);
    world.settle(() => checkApart(world));
    // before it where there is room, and else behind it
    assert.match(world.queued('e')!.message, new RegExp(`^place 4 of 6, opens at ${time(6 * HOUR)}`));
    assert.match(world.queued('f')!.message, new RegExp(`^place 6 of 6, opens at ${time(11 * HOUR)}`));
  });

  it('has room for so many, and for no more of one namespace than of others', () => {
    const world = new QueueWorld('n1');
    for (let i = 0; i < 101; i++) world.add(`s${String(i).padStart(3, '0')}`, {}, 1);
    world.settle();
    assert.match(world.queued('s099')!.message, /^place 100 of 100, /);
    assert.equal(world.queued('s100')!.message, 'namespace site has 100 slices in line already');
    assert.deepEqual(world.heldBy('s100'), []);
    world.remove('s050');
    world.settle();
    assert.match(world.queued('s100')!.message, /^place 100 of 100, opens at/);
  });
});
