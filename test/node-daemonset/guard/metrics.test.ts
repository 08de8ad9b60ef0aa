import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { NO_COUNTERS } from '../../../node-daemonset/bpf/layout.ts';
import { registerGuardMetrics } from '../../../node-daemonset/guard/metrics.ts';
import { pod, right } from '../rights.ts';

describe('metrics of the guard', () => {
  it('say what of each sliver was let pass and why the rest was not, as it is now', async () => {
    const registry = new Registry();
    const counters = new Map([[1, { ...NO_COUNTERS, packets: 5, drops: { ...NO_COUNTERS.drops, address: 3 } }]]);
    const pods = [pod('a', right('one'), { number: 1 }), pod('b', right('two'), { number: 2 })];
    registerGuardMetrics(
      registry,
      () => counters,
      () => pods,
    );
    for (let scrape = 0; scrape < 2; scrape++) {
      const text = await registry.metrics();
      assert.match(text, /^slice_sliver_packets_total\{[^}]*pod="right-one"\} 5$/m);
      assert.match(text, /^slice_sliver_dropped_total\{[^}]*pod="right-one",reason="address"\} 3$/m);
      assert.doesNotMatch(text, /pod="right-two"|reason="port"/);
    }
  });
});
