/** The node manager's own metrics. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Books } from '../admission/ledger.ts';
import type { Sliver, Standing } from '../sliver.ts';
import type { Accounts } from './node.ts';

export interface NodeMetrics {
  passed(seconds: number, failed: boolean): void;
  decided(event: string, reason: string | undefined): void;
  enforced(enforcer: string, writes: number, problems: number): void;
  slivers(slivers: readonly Sliver[]): void;
  /** Bytes that a sliver sent before its address was known, and that no class counted. */
  unclassified(bytes: number): void;
  books(accounts: Accounts): void;
}

/** In base units: egress is counted in bits a second, and Prometheus has bytes. */
const KINDS: readonly [kind: keyof Books, unit: string, factor: number][] = [
  ['shares', 'shares', 1],
  ['egress', 'bytes_per_second', 1 / 8],
  ['memory', 'bytes', 1],
  ['disk', 'bytes', 1],
  ['pods', 'pods', 1],
];
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
  const lastPass = new Gauge({
    name: 'slice_node_last_pass_timestamp_seconds',
    help: 'When the last pass ended.',
    registers,
  });
  const book = (name: string, help: string): ((of: Books | undefined) => void) => {
    const gauge = new Gauge({ name, help, labelNames: ['resource', 'unit'], registers });
    return (of) => {
      for (const [resource, unit, factor] of of ? KINDS : []) gauge.set({ resource, unit }, of![resource] * factor);
    };
  };
  const setOffered = book('slice_node_offered', 'What the node offers to slivers, by resource.');
  const setGranted = book('slice_node_granted', 'What is granted now, by resource.');
  const setBooked = book('slice_node_booked', 'The most that is granted from now on at any time, by resource.');
  const setFree = book('slice_node_free', 'What can still be granted from now on for ever, by resource.');
  for (const result of ['done', 'failed']) passes.inc({ result }, 0);
  for (const standing of STANDINGS) slivers.set({ standing }, 0);
  return {
    passed(duration, failed) {
      passes.inc({ result: failed ? 'failed' : 'done' });
      seconds.observe(duration);
      lastPass.setToCurrentTime();
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
    books({ offered, granted, ahead, free }) {
      setOffered(offered);
      setGranted(granted);
      setBooked(ahead);
      setFree(free);
    },
  };
}
