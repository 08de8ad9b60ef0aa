/** Windows that come while nobody hands anything over: they are not told to be open, and are no loss. */
import assert from 'node:assert/strict';
import { at } from '../slice/objects.ts';
import { HOUR, QueueWorld } from './queue-objects.ts';

const HINT = 'is the operator running, with operator.transfers set in its chart?';

function time(ms: number): string {
  return at(ms).replace('.000Z', 'Z');
}

describe('a window of the queue that comes without an operator that makes values', () => {
  const seen: string[] = [];
  function wait(world: QueueWorld, ms: number): string {
    world.now += ms;
    world.settle(() => seen.push(world.queued('a')!.reason));
    const { status, reason, message } = world.queued('a')!;
    return `${status} ${reason}: ${message}`;
  }

  it('is opening, says what it waits for, and is refused after the time that others have to answer', () => {
    const world = new QueueWorld('n1');
    world.values = false;
    world.add('a');
    assert.equal(wait(world, 0), 'True Opening: place 1 of 1, its rights are being handed over');
    assert.equal(world.plan().wakeAt, world.now + 5_000);
    const part = [...world.rights.values()].find(({ spec }) => spec.from)!.metadata.name;
    const what = `n1 waits for the value of queue/${part}: ${HINT}`;
    assert.equal(wait(world, 5_000), `True Opening: place 1 of 1, nothing is handed over yet: ${what}`);
    assert.equal(world.plan().wakeAt, world.now + 25_000);
    assert.equal(wait(world, 25_000), `True Refused: nothing was handed over at ${time(0)}: ${what}`);
    assert.deepEqual(world.heldBy('a'), []);
    assert.equal(world.plan().wakeAt, world.now + 10_000);
    assert.ok(!seen.includes('Open') && !seen.includes('Over'), seen.join());
    world.values = true;
    assert.equal(wait(world, 10_000), `False Open: place 1 of 1, open until ${time(40_000 + HOUR)}`);
  });

  it('is no loss either where it is over before that', () => {
    const world = new QueueWorld('n1');
    world.values = false;
    world.add('a', {}, 10);
    wait(world, 0);
    assert.match(
      wait(world, 10_000),
      /^True Refused: nothing was handed over at .*: n1 waits for the value of queue\//,
    );
    world.values = true;
    assert.equal(wait(world, 10_000), `False Open: place 1 of 1, open until ${time(30_000)}`);
    assert.match(wait(world, 10_000), /^False Over: /);
  });

  it('is refused, too, where nobody reads what was shown', () => {
    const world = new QueueWorld('n1');
    world.values = false;
    world.add('a');
    wait(world, 0);
    world.values = true;
    world.answer();
    world.values = false;
    assert.equal(wait(world, 0), 'True Opening: place 1 of 1, its rights are being handed over');
    assert.deepEqual(world.heldBy('a'), ['given site/n1', 'part queue/n1', 'whole queue/n1']);
    assert.match(
      wait(world, 29_999),
      /nothing is handed over yet: n1 waits for the value that site\/.* shows to be read: is/,
    );
    assert.match(wait(world, 1), /^True Refused: nothing was handed over at /);
    assert.deepEqual(world.heldBy('a'), []);
  });

  it('is refused in its time however often its namespace deletes what it was given', () => {
    const world = new QueueWorld('n1');
    world.values = false;
    world.add('a');
    wait(world, 0);
    world.values = true;
    world.answer();
    world.values = false;
    for (const ms of [0, 10_000, 10_000]) {
      wait(world, ms);
      const given = [...world.rights].find(([, { spec }]) => spec.redeem)!;
      world.rights.delete(given[0]);
      wait(world, 0);
    }
    wait(world, 10_000);
    assert.equal(world.queued('a')!.reason, 'Refused');
  });
});

describe('a window of the queue that opens in part', () => {
  it('is open, and says what the other nodes wait for', () => {
    const world = new QueueWorld('n1', 'n2');
    world.add('a');
    world.prompt = false;
    const step = () => {
      // the other node is silent from when the window has come
      const silent = [...world.rights].filter(([, { spec }]) => spec.nodeName === 'n2' && (spec.from || spec.redeem));
      for (const [key] of silent) world.rights.delete(key);
      world.answer();
      for (const [key, right] of silent) world.rights.set(key, right);
      return world.step();
    };
    for (let n = 0; n < 12; n++) step();
    assert.equal(world.queued('a')!.message, `place 1 of 1, open until ${time(HOUR)}`);
    assert.deepEqual(
      world.heldBy('a').filter((one) => one.startsWith('given')),
      ['given site/n1'],
    );
    for (const ms of [5_000, 60_000]) {
      world.now += ms;
      for (let n = 0; n < 3; n++) step();
      const message =
        /open until .*, not all is handed over: n2 waits for its node manager to grant queue\/a-[^,]*-part$/;
      assert.match(world.queued('a')!.message, message);
      assert.equal(world.queued('a')!.status, 'False');
    }
  });

  it('is refused where no node answers, and asked of another one', () => {
    const world = new QueueWorld('n1', 'n2');
    world.add('a', { placement: { count: 1 } });
    world.decide = ({ spec }) => {
      if (spec.from && spec.nodeName === 'n1') throw new Error('silent');
      return undefined;
    };
    const settle = () => {
      for (let n = 0; n < 12; n++) {
        try {
          world.step();
          world.answer();
        } catch (error) {
          assert.equal((error as Error).message, 'silent');
        }
      }
    };
    settle();
    world.now += 30_000;
    settle();
    assert.match(world.queued('a')!.message, /^nothing was handed over at .*: n1 waits for its node manager to grant/);
    world.now += 10_000;
    settle();
    assert.deepEqual(world.heldBy('a'), ['given site/n2', 'whole queue/n2']);
  });
});

describe('a window of which something was given', () => {
  for (const isKept of [true, false]) {
    it(`is over at its end, though the broker died before it told${isKept ? '' : ', and the slice’s namespace deleted it'}`, () => {
      const world = new QueueWorld('n1');
      world.add('a');
      while (!world.heldBy('a').some((one) => one.startsWith('given'))) world.step();
      world.answer();
      assert.equal(world.queued('a')!.reason, 'Opening');
      if (!isKept) for (const [key, { spec }] of world.rights) if (spec.redeem) world.rights.delete(key);
      world.now += HOUR;
      world.settle();
      assert.equal(world.queued('a')!.reason, 'Over');
      assert.deepEqual(world.heldBy('a'), []);
    });
  }
});
