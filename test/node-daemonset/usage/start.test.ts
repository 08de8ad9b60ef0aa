import assert from 'node:assert/strict';
import { silentLog } from '../../../kube/log.ts';
import type { SliverCounters } from '../../../node-daemonset/bpf/kernel.ts';
import { startUsage } from '../../../node-daemonset/usage/start.ts';

describe('usage for a scrape', () => {
  it('is left out where it can not be read, and said to be', async () => {
    let broken = true;
    const guarded = (): Map<number, SliverCounters> => {
      if (broken) throw new Error('the kernel does not answer');
      return new Map();
    };
    const usage = startUsage({ tree: { mountinfo: '' }, pods: () => [], guarded, log: silentLog() });
    assert.equal((await usage.metrics()).replaceAll(/^#.*\n/gm, ''), 'slice_node_usage_failures_total 1\n');
    broken = false;
    assert.match(await usage.metrics(), /^slice_node_usage_failures_total 1$/m);
    usage.close();
  });

  it('has what exported sensors say besides', async () => {
    const usage = startUsage({ tree: { mountinfo: '' }, pods: () => [], guarded: () => new Map(), log: silentLog() });
    const columns = [{ name: 'depth', type: 'number', unit: 'bytes', metric: 'gauge' }] as const;
    const text = await usage.metrics({
      list: () => [
        {
          ...{ name: 'site.depth', origin: 'File', type: 'Snapshot', description: '', columns },
          ...{ cacheMs: 1000, access: 'Public', exported: true },
        },
      ],
      read: async () => ({ columns, rows: [[7]], time: 0 }),
    });
    assert.match(text, /^slice_sensor_depth_bytes\{sensor="site\.depth"\} 7$/m);
    usage.close();
  });
});
