import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { at } from '../slice/objects.ts';
import { HOUR, QueueWorld } from './queue-objects.ts';

/** No two slices have any of the same time on a node, asked for or granted. */
function checkApart(world: QueueWorld): void {
  const wholes = [...world.rights.values()].filter(({ spec }) => !spec.from && !spec.redeem);
  for (const own of Map.groupBy(wholes, ({ spec }) => spec.nodeName).values()) {
    const spans = own.flatMap(({ metadata, spec, status }) =>
      [spec.window, status?.granted?.window].flatMap((window) => {
        const of = metadata.labels!['slice-operator.io/queued']!;
        return window ? [{ of, start: Date.parse(window.start!), end: Date.parse(window.end!) }] : [];
      }),
    );
    for (const a of spans) {
      for (const b of spans) {
        assert.ok(
          a.of === b.of || a.end <= b.start || b.end <= a.start,
          `${a.of} and ${b.of}: ${JSON.stringify([a, b])}`,
        );
      }
    }
  }
}

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

  it('comes to the same end wherever a process dies between two writes', () => {
    const whole = story([]);
    for (let at = 0; at < 60; at++) {
      for (let most = 0; most < 8; most++) assert.deepEqual(story([[at, most]]), whole, `${most} writes in step ${at}`);
    }
  });

  it('keeps windows apart and leaves nothing behind, whatever comes and goes', () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('add'),
        nodes: fc.integer({ min: 0, max: 3 }),
        minutes: fc.integer({ min: 1, max: 90 }),
      }),
      fc.record({ kind: fc.constant('remove'), which: fc.nat(5) }),
      fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 120 }) }),
      fc.record({ kind: fc.constant('die'), most: fc.nat(4), answers: fc.nat(4) }),
      fc.constant({ kind: 'allow' }),
      fc.record({ kind: fc.constant('edit'), longer: fc.nat(5), by: fc.integer({ min: 60, max: 7200 }) }),
      fc.record({ kind: fc.constant('refuse'), node: fc.nat(2), one: fc.nat(3) }),
      fc.record({ kind: fc.constant('operator'), runs: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), fc.boolean(), (actions, prompt) => {
        const world = new QueueWorld('n1', 'n2', 'n3');
        world.prompt = prompt;
        const given = new Set<string>();
        const check = () => {
          checkApart(world);
          for (const { metadata, spec, status } of world.rights.values()) {
            if (spec.redeem && status?.granted) given.add(metadata.labels!['slice-operator.io/queued']!);
          }
          for (const { metadata } of world.slices) {
            const isTold = world.queued(metadata.name)?.status === 'False';
            assert.ok(!isTold || given.has(metadata.uid!), `${metadata.name} has had nothing`);
          }
        };
        for (const [index, one] of actions.entries()) {
          if ('nodes' in one)
            world.add(`s${index}`, one.nodes === 0 ? {} : { placement: { count: one.nodes } }, one.minutes * 60);
          else if ('longer' in one) world.ask(world.slices[one.longer]?.metadata.name ?? '', one.by);
          else if ('which' in one) world.remove(world.slices[one.which]?.metadata.name ?? '');
          else if ('most' in one) {
            world.step(one.most);
            world.answer(one.answers);
          } else if ('one' in one) {
            world.decide = ({ metadata, spec }) =>
              spec.nodeName === `n${one.node + 1}` && Number(metadata.name[1]) % 4 === one.one ? 'no' : undefined;
          } else if ('runs' in one) world.values = one.runs;
          else if ('minutes' in one) world.now += one.minutes * 60_000;
          else world.decide = () => undefined;
          check();
          if (!('most' in one)) world.settle(check);
        }
        world.slices = [];
        world.settle(() => checkApart(world));
        assert.deepEqual([...world.rights.keys()], []);
      }),
      { numRuns: 300 },
    );
  });
});

/** Three slices, of which the first goes early; what is told and held in the end, with some steps cut short. */
function story(cut: [number, number][]): unknown {
  const world = new QueueWorld('n1', 'n2');
  for (const name of ['a', 'b', 'c']) world.add(name);
  let step = 0;
  const settle = () => {
    for (let more = true; more; step++) {
      const most = cut.find(([at]) => at === step)?.[1];
      more = world.step(most) || most !== undefined;
      checkApart(world);
      assert.ok(step < 200);
    }
  };
  settle();
  world.remove('a');
  settle();
  world.now += HOUR;
  settle();
  return ['b', 'c'].map((name) => [world.queued(name)!.message, world.heldBy(name)]);
}

function time(ms: number): string {
  return at(ms).replace('.000Z', 'Z');
}
