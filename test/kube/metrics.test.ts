import assert from 'node:assert/strict';
import { createMetrics } from '../../kube/metrics.ts';
import { WorkQueue } from '../../kube/workqueue.ts';

describe('metrics', () => {
  const { registry, controller } = createMetrics();
  const queue = new WorkQueue();
  const { onResult } = controller('slice', queue);

  async function value(name: string, labels = 'name="slice"'): Promise<number | undefined> {
    const line = (await registry.metrics()).split('\n').find((one) => one.startsWith(`${name}{${labels}}`));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  after(() => queue.close());

  it('are 0 before anything has happened, so that a first failure shows as an increase', async () => {
    assert.equal(await value('controller_runtime_reconcile_errors_total', 'controller="slice"'), 0);
    assert.equal(await value('controller_runtime_reconcile_total', 'controller="slice",result="error"'), 0);
    for (const name of ['depth', 'active', 'adds_total', 'longest_running_processor_seconds']) {
      assert.equal(await value(`workqueue_${name}`), 0, name);
    }
  });

  it('tell what waits, what is worked on, and what came in all', async () => {
    for (const key of ['ns/a', 'ns/b', 'ns/b', 'ns/c']) queue.add(key);
    const key = await queue.take();
    assert.deepEqual([await value('workqueue_depth'), await value('workqueue_active')], [2, 1]);
    assert.ok((await value('workqueue_longest_running_processor_seconds'))! > 0);
    queue.add(key!);
    queue.done(key!);
    // b was added twice and waited once; the key that was added while it was worked on waits again
    assert.deepEqual([await value('workqueue_depth'), await value('workqueue_adds_total')], [3, 4]);
    assert.equal(await value('workqueue_longest_running_processor_seconds'), 0);
  });

  it('count as errors what failed, not what met a newer object', async () => {
    for (const result of ['success', 'error', 'conflict', 'terminal', 'requeue_after'] as const) onResult(result, 0.01);
    assert.equal(await value('controller_runtime_reconcile_errors_total', 'controller="slice"'), 2);
    assert.equal(await value('controller_runtime_reconcile_total', 'controller="slice",result="conflict"'), 1);
  });
});
