import assert from 'node:assert/strict';
import { ApiError, FencedError, TerminalError } from '../../kube/errors.ts';
import { silentLog } from '../../kube/log.ts';
import { After, Done, runWorkers, type Outcome, type Result, type WorkerOptions } from '../../kube/workers.ts';
import { WorkQueue } from '../../kube/workqueue.ts';
import { eventually, settle } from './eventually.ts';

/** A queue that keeps the delays it is asked for instead of waiting, and lets the key through when told. */
class PatientQueue extends WorkQueue {
  readonly asked: [string, number][] = [];

  override addAfter(key: string, ms: number): void {
    this.asked.push([key, ms]);
  }

  get delays(): number[] {
    return this.asked.map(([, ms]) => ms);
  }
}

const conflict = () => new ApiError('PUT x', 409, '{"reason":"Conflict"}');

describe('workers', () => {
  let queue: PatientQueue;
  let results: Result[];
  let running: Promise<void>;

  function run(
    reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>,
    options: Partial<WorkerOptions> = {},
  ): void {
    const onResult = (result: Result) => results.push(result);
    const backoffMs = { first: 10, most: 100 };
    running = runWorkers(queue, reconcile, {
      name: 't',
      workers: 3,
      log: silentLog(),
      onResult,
      backoffMs,
      ...options,
    });
  }

  /** One more attempt at this key, to its end. */
  async function attempt(key = 'a/1'): Promise<void> {
    const before = results.length;
    queue.add(key);
    await eventually('a result', () => results.length > before);
  }

  beforeEach(() => {
    queue = new PatientQueue();
    results = [];
  });
  afterEach(async () => {
    queue.close();
    await running;
  });

  it('takes on many keys, each by one worker at a time', async () => {
    let most = 0;
    const active = new Set<string>();
    run(async (key) => {
      assert.ok(!active.has(key));
      active.add(key);
      most = Math.max(most, active.size);
      await settle(2);
      active.delete(key);
      return Done;
    });
    for (let i = 0; i < 30; i++) {
      queue.add(`a/${i % 5}`);
      await settle(1);
    }
    await eventually('all done', () => queue.idle);
    assert.equal(most, 3);
    assert.deepEqual(new Set(results), new Set(['success']));
  });

  it('backs off from what fails, key by key, and forgets that when it goes well', async () => {
    let fail = true;
    run(() => (fail ? Promise.reject(new Error('no')) : Promise.resolve(Done)));
    for (let i = 0; i < 6; i++) await attempt();
    assert.deepEqual(queue.delays, [10, 20, 40, 80, 100, 100]);
    await attempt('a/2');
    assert.equal(queue.delays.at(-1), 10);
    fail = false;
    await attempt();
    fail = true;
    await attempt();
    assert.equal(queue.delays.at(-1), 10);
    assert.deepEqual(results.slice(-2), ['success', 'error']);
  });

  it('does not retry what cannot help', async () => {
    run(() => Promise.reject(new TerminalError('the spec is wrong')));
    await attempt();
    assert.deepEqual([results, queue.delays], [['terminal'], []]);
  });

  it('tells a conflict from an error, and a leader that is none from both', async () => {
    const errors = [conflict(), new FencedError('not the leader')];
    run(() => Promise.reject(errors.shift()!));
    await attempt('a/1');
    await attempt('a/2');
    assert.deepEqual(
      [results, queue.delays],
      [
        ['conflict', 'fenced'],
        [10, 10],
      ],
    );
  });

  it('waits as long as the server asks', async () => {
    run(() => Promise.reject(new ApiError('GET x', 429, '', '7')));
    await attempt();
    assert.deepEqual(queue.delays, [7_000]);
  });

  it('comes back after the time that the outcome asks for', async () => {
    run(() => Promise.resolve(After(1234)));
    await attempt();
    assert.deepEqual([results, queue.asked], [['requeue_after'], [['a/1', 1234]]]);
  });

  it('ends a reconcile that takes too long by its signal', async () => {
    const hang = (_key: string, signal: AbortSignal) =>
      new Promise<Outcome>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    run(hang, { deadlineMs: 20 });
    // signals of AbortSignal.timeout do not keep a process alive by themselves
    const alive = setInterval(() => undefined, 1000);
    await attempt();
    clearInterval(alive);
    assert.deepEqual(results, ['error']);
  });

  it('finishes what it has begun when the queue is closed, and begins nothing', async () => {
    const gate = Promise.withResolvers<void>();
    const begun: string[] = [];
    run(
      async (key) => {
        begun.push(key);
        await gate.promise;
        return Done;
      },
      { workers: 1 },
    );
    queue.add('a/1');
    queue.add('a/2');
    await eventually('the first to begin', () => begun.length === 1);
    queue.close();
    let ended = false;
    void running.then(() => (ended = true));
    await settle();
    assert.ok(!ended);
    gate.resolve();
    await running;
    assert.deepEqual([begun, results], [['a/1'], ['success']]);
  });
});
