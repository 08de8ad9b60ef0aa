import assert from 'node:assert/strict';
import { mock } from 'node:test';
import * as fc from 'fast-check';
import { WorkQueue } from '../../kube/workqueue.ts';

/** Takes without waiting: undefined where nothing waits. */
const next = (queue: WorkQueue) => (queue.depth > 0 ? queue.take() : Promise.resolve(undefined));

async function drain(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = [];
  for (let key = await next(queue); key !== undefined; key = await next(queue)) {
    keys.push(key);
    queue.done(key);
  }
  return keys;
}

describe('WorkQueue', () => {
  afterEach(() => mock.timers.reset());

  it('holds a key once', async () => {
    const queue = new WorkQueue();
    for (const key of ['a/1', 'a/1', 'a/2', 'a/1']) queue.add(key);
    assert.equal(queue.depth, 2);
    assert.deepEqual(await drain(queue), ['a/1', 'a/2']);
    assert.ok(queue.idle);
  });

  it('hands out no key that is being worked on, and does not forget that it was added', async () => {
    const queue = new WorkQueue();
    queue.add('a/1');
    assert.equal(await queue.take(), 'a/1');
    queue.add('a/1');
    queue.add('a/1');
    assert.equal(queue.depth, 0);
    assert.ok(!queue.idle);
    queue.done('a/1');
    assert.deepEqual(await drain(queue), ['a/1']);
    assert.ok(queue.idle);
  });

  it('gives every namespace its turn, and cluster-scoped keys theirs', async () => {
    const queue = new WorkQueue();
    for (let i = 0; i < 4; i++) queue.add(`big/${i}`);
    queue.add('small/0');
    queue.add('node-1');
    assert.deepEqual(await drain(queue), ['big/0', 'small/0', 'node-1', 'big/1', 'big/2', 'big/3']);
  });

  it('hands a key to a taker that waits', async () => {
    const queue = new WorkQueue();
    const [first, second] = [queue.take(), queue.take()];
    queue.add('a/1');
    queue.add('b/1');
    assert.deepEqual(await Promise.all([first, second]), ['a/1', 'b/1']);
  });

  it('adds later at the earliest of several times, and once', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const queue = new WorkQueue();
    queue.addAfter('a/1', 1000);
    queue.addAfter('a/1', 100);
    queue.addAfter('a/1', 500);
    mock.timers.tick(99);
    assert.equal(queue.depth, 0);
    assert.ok(!queue.idle);
    mock.timers.tick(1);
    assert.deepEqual(await drain(queue), ['a/1']);
    mock.timers.tick(10_000);
    assert.ok(queue.idle, 'the later times are forgotten');
  });

  it('forgets a later time when the key is added now, and takes 0 for now', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const queue = new WorkQueue();
    queue.addAfter('a/1', 1000);
    queue.addAfter('a/1', 0);
    assert.deepEqual(await drain(queue), ['a/1']);
    mock.timers.tick(10_000);
    assert.ok(queue.idle);
  });

  it('does not take a year for an instant', () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const queue = new WorkQueue();
    queue.addAfter('a/1', 365 * 86_400_000);
    mock.timers.tick(86_400_000);
    assert.equal(queue.depth, 0);
    queue.close();
  });

  it('hands out nothing after it was closed', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const queue = new WorkQueue();
    queue.add('a/1');
    assert.equal(await queue.take(), 'a/1');
    const waiting = queue.take();
    queue.addAfter('a/2', 10);
    queue.add('a/1');
    queue.close();
    assert.equal(await waiting, undefined);
    queue.done('a/1');
    queue.add('a/3');
    mock.timers.tick(100);
    assert.equal(await queue.take(), undefined);
    assert.ok(queue.idle);
  });

  it('never loses a key nor hands one out twice, whatever the order', async () => {
    const key = fc.constantFrom('a/1', 'a/2', 'b/1', 'node');
    const step = fc.record({ what: fc.constantFrom('add', 'take', 'done'), key });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const queue = new WorkQueue();
        const owed = new Set<string>();
        const active = new Set<string>();
        const take = async () => {
          const taken = await next(queue);
          if (taken === undefined) return;
          assert.ok(!active.has(taken), `${taken} was handed out twice`);
          assert.ok(owed.delete(taken), `${taken} was not asked for`);
          active.add(taken);
        };
        const done = (one: string) => active.delete(one) && queue.done(one);
        for (const { what, key: one } of steps) {
          if (what === 'add') {
            owed.add(one);
            queue.add(one);
          } else if (what === 'take') await take();
          else done(one);
        }
        while (owed.size > 0 || active.size > 0) {
          for (const one of [...active]) done(one);
          assert.ok(owed.size === 0 || queue.depth > 0, `lost: ${[...owed].join()}`);
          await take();
        }
        assert.ok(queue.idle);
      }),
    );
  });
});
