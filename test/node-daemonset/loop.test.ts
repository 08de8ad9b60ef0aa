import assert from 'node:assert/strict';
import { silentLog } from '../../kube/log.ts';
import { Loop } from '../../node-daemonset/loop.ts';
import type { PassResult } from '../../node-daemonset/pass.ts';

const DONE: PassResult = { problems: [], failed: false, wakeAt: undefined };

/** Counts passes and lets a test hold one. */
function passes(results: (() => Promise<PassResult>)[] = []): {
  run: (full: boolean) => Promise<PassResult>;
  seen: boolean[];
  reached(count: number): Promise<void>;
} {
  const seen: boolean[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  return {
    seen,
    run: (full) => {
      seen.push(full);
      for (const one of waiting) if (seen.length >= one.count) one.resolve();
      waiting = waiting.filter(({ count }) => seen.length < count);
      return (results.shift() ?? (async () => DONE))();
    },
    reached: (count) =>
      seen.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
  };
}

describe('loop', () => {
  let loop: Loop | undefined;
  const start = (
    options: Partial<ConstructorParameters<typeof Loop>[0]> & Pick<ConstructorParameters<typeof Loop>[0], 'run'>,
  ): Loop => {
    loop = new Loop({ log: silentLog(), gapMs: 5, urgentGapMs: 1, ...options });
    loop.start();
    return loop;
  };
  afterEach(async () => loop?.stop());

  it('runs a full pass first, then small ones', async () => {
    const { run, seen, reached } = passes();
    start({ run }).wake();
    await reached(1);
    loop!.wake();
    await reached(2);
    assert.deepEqual(seen, [true, false]);
  });

  it('runs nothing before it is started, and forgets nobody who asked by then', async () => {
    const { run, seen } = passes();
    loop = new Loop({ log: silentLog(), gapMs: 0, urgentGapMs: 0, run });
    loop.wake(true);
    const answer = loop.pass();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(seen, []);
    loop.start();
    assert.equal(await answer, DONE);
    assert.deepEqual(seen, [true]);
  });

  it('makes one pass of many events', async () => {
    const held = Promise.withResolvers<PassResult>();
    const { run, seen, reached } = passes([() => held.promise]);
    start({ run }).wake();
    await reached(1);
    for (let i = 0; i < 100; i++) loop!.wake();
    held.resolve(DONE);
    await reached(2);
    await loop!.pass();
    assert.equal(seen.length, 3);
  });

  it('answers with a pass that began after the question', async () => {
    const held = Promise.withResolvers<PassResult>();
    const second: PassResult = { ...DONE, problems: [{ reason: 'Second', message: '' }] };
    const { run, reached } = passes([() => held.promise, async () => second]);
    start({ run }).wake();
    await reached(1);
    const answer = loop!.pass();
    held.resolve(DONE);
    assert.equal((await answer).problems[0]!.reason, 'Second');
  });

  it('tries again, fully, after a failure', async () => {
    const { run, seen } = passes([
      async () => ({ ...DONE, failed: true }),
      async () => {
        throw new Error('broken');
      },
    ]);
    start({ run });
    assert.equal((await loop!.pass()).failed, true);
    await assert.rejects(loop!.pass(), /broken/);
    assert.deepEqual(await loop!.pass(), DONE);
    assert.deepEqual(seen, [true, true, true]);
    await loop!.pass();
    assert.equal(seen.at(-1), false);
  });

  it('comes back by itself after a failure, at a set time, and now and then', async () => {
    const failing = passes([async () => ({ ...DONE, failed: true })]);
    start({ run: failing.run }).wake();
    await failing.reached(2);
    await loop!.stop();
    const timed = passes([async () => ({ ...DONE, wakeAt: Date.now() + 5 })]);
    start({ run: timed.run }).wake();
    await timed.reached(2);
    await loop!.stop();
    const idle = passes();
    start({ run: idle.run, fullMs: 5 }).wake();
    // a timer may be a moment early by the clock that the loop goes by: then a small pass comes in between
    for (let count = 3; idle.seen.filter(Boolean).length < 3; count++) await idle.reached(count);
  });

  it('ends after the present pass and answers everyone who waits', async () => {
    const held = Promise.withResolvers<PassResult>();
    const { run, seen, reached } = passes([() => held.promise]);
    start({ run }).wake();
    await reached(1);
    const waiting = assert.rejects(loop!.pass(), /stopping/);
    const stopped = loop!.stop();
    held.resolve(DONE);
    await stopped;
    await waiting;
    await assert.rejects(loop!.pass(), /stopping/);
    loop!.wake();
    assert.equal(seen.length, 1);
  });
});
