/** The node manager's own metrics. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Sliver, Standing } from '../sliver.ts';

export interface NodeMetrics {
  passed(seconds: number, failed: boolean): void;
  decided(event: string, reason: string | undefined): void;
  enforced(enforcer: string, writes: number, problems: number): void;
  slivers(slivers: readonly Sliver[]): void;
  /** Bytes that a sliver sent before its address was known, and that no class counted. */
  unclassified(bytes: number): void;
}

const STANDINGS: readonly Standing[] = ['entitled', 'penalised', 'frozen'];

/** Registers them; every series starts at 0. */
export function createNodeMetrics(registry: Registry): NodeMetrics {
  const registers = [registry];
  const passes = new Counter({
    name: 'slice_node_passes_total',
    help: 'Passes over the kernel, by result.',
    labelNames: ['result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'slice_node_pass_seconds',
    help: 'How long a pass took.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const decisions = new Counter({
    name: 'slice_node_decisions_total',
    help: 'What admission decided, by event and reason.',
    labelNames: ['event', 'reason'],
    registers,
  });
  const slivers = new Gauge({
    name: 'slice_node_slivers',
    help: 'Sliver pods on this node, by standing.',
    labelNames: ['standing'],
    registers,
  });
  const writes = new Counter({
    name: 'slice_node_enforcer_writes_total',
    help: 'Writes to the kernel, by enforcer.',
    labelNames: ['enforcer'],
    registers,
  });
  const problems = new Gauge({
    name: 'slice_node_enforcer_problems',
    help: 'What the enforcer could not keep in the last pass.',
    labelNames: ['enforcer'],
    registers,
  });
  const unclassified = new Counter({
    name: 'slice_node_unclassified_bytes_total',
    help: 'Bytes that slivers sent before their address was known.',
    registers,
  });
  for (const result of ['done', 'failed']) passes.inc({ result }, 0);
  for (const standing of STANDINGS) slivers.set({ standing }, 0);
  return {
    passed(duration, failed) {
      passes.inc({ result: failed ? 'failed' : 'done' });
      seconds.observe(duration);
    },
    decided(event, reason) {
      decisions.inc({ event, reason: reason ?? '' });
    },
    enforced(enforcer, count, open) {
      writes.inc({ enforcer }, count);
      problems.set({ enforcer }, open);
    },
    slivers(all) {
      for (const standing of STANDINGS) {
        slivers.set({ standing }, all.filter((sliver) => sliver.standing === standing).length);
      }
    },
    unclassified(bytes) {
      unclassified.inc(bytes);
    },
  };
}
