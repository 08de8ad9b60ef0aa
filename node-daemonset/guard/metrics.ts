/** What the programs let pass and drop, for Prometheus: read from the kernel when it is asked for. */
import { Counter, type Registry } from 'prom-client';
import type { SliverCounters } from '../bpf/kernel.ts';
import type { PodRecord } from '../pods.ts';

/** Registers the series of each sliver that the records name; those of reasons that never happened are left out. */
export function registerGuardMetrics(
  registry: Registry,
  counters: () => ReadonlyMap<number, SliverCounters>,
  pods: () => readonly PodRecord[],
): void {
  const labelNames = ['namespace', 'slice', 'pod'];
  const passed = new Counter({
    name: 'slice_sliver_packets_total',
    help: 'Packets that a sliver sent and that were its own to send, before the queue.',
    labelNames,
    registers: [registry],
    collect: read,
  });
  const dropped = new Counter({
    name: 'slice_sliver_dropped_total',
    help: 'Packets and calls of a sliver that were refused, by reason.',
    labelNames: [...labelNames, 'reason'],
    registers: [registry],
  });
  function read(): void {
    passed.reset();
    dropped.reset();
    const all = counters();
    for (const { number, rcap, slice = '', name: pod } of pods()) {
      const row = all.get(number);
      if (!row) continue;
      const labels = { namespace: rcap.namespace, slice, pod };
      passed.inc(labels, row.packets);
      for (const [reason, count] of Object.entries(row.drops)) if (count > 0) dropped.inc({ ...labels, reason }, count);
    }
  }
}
