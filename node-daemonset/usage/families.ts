/** Usage as Prometheus has it: base units, counters that only the kernel resets, labels that only the API's objects make. */
import { type Family, type Labels, labels, withLabels } from '../../kube/exposition.ts';
import { CLASS_EXEMPT, CLASS_LINE, CLASS_NODE, CLASS_SLIVERS } from '../egress/names.ts';
import type { Sliver } from '../sliver.ts';
import type { NodeUsage, Sent, SliverUsage } from './usage.ts';

type Type = Family['type'];
type Sample = readonly [Labels, number];
type Source<T> = readonly [name: string, type: Type, help: string, read: (of: T, base: Labels) => Sample[]];

const one =
  <T>(read: (of: T) => number | undefined) =>
  (of: T, base: Labels): Sample[] => {
    const value = read(of);
    return value === undefined ? [] : [[base, value]];
  };

const sent =
  (read: (of: Sent) => number) =>
  ({ sent: all }: SliverUsage, base: Labels): Sample[] =>
    all.map((row) => [withLabels(base, { interface: row.interface, destinations: row.by }), read(row)]);

const NS = 1e9;
/** Bits a second are bytes a second in Prometheus, as every rate of a counter of bytes is. */
const bytes = (bits: number): number => bits / 8;

/** What others hold it to goes below its guarantee. */
const restrained = ({ restraintLimit = Infinity }: Sliver, rate: number): number => Math.min(rate, restraintLimit);

/** `entitled`: 0 while it has lost its right, whatever was promised. */
const OF_SLIVERS: readonly Source<SliverUsage>[] = [
  [
    'slice_sliver_entitled',
    'gauge',
    '1 while the sliver has a right, 0 while it is penalised or frozen.',
    one(({ sliver }) => (sliver.standing === 'entitled' ? 1 : 0)),
  ],
  [
    'slice_sliver_budget_exhausted',
    'gauge',
    "1 while a budget of bytes of the node's owner slows the sliver.",
    one(({ sliver }) => (sliver.budgetLimit === undefined && sliver.exemptBudgetLimit === undefined ? 0 : 1)),
  ],
  [
    'slice_sliver_restrained',
    'gauge',
    '1 while others hold the egress of the sliver to less than was granted.',
    one(({ sliver }) => (sliver.restraintLimit === undefined ? 0 : 1)),
  ],
  ['slice_sliver_cpu_seconds_total', 'counter', 'CPU time used.', one(({ cpu }) => cpu && cpu.used / NS)],
  [
    'slice_sliver_cpu_throttled_seconds_total',
    'counter',
    'Time in which it could not run because it gets no excess and its quota was used up.',
    one(({ cpu }) => (cpu?.throttled === undefined ? undefined : cpu.throttled / NS)),
  ],
  [
    'slice_sliver_cpu_shares',
    'gauge',
    'CPU promised, in 1/1000 of what the node can allocate.',
    one(({ sliver }) => sliver.amounts.shares),
  ],
  [
    'slice_sliver_memory_limit_bytes',
    'gauge',
    'Memory promised, and the most it may have.',
    one(({ sliver }) => sliver.amounts.memory),
  ],
  [
    'slice_sliver_egress_guarantee_bytes_per_second',
    'gauge',
    'Egress that it gets when it wants it, at layer 2.',
    one(({ sliver }) => bytes(restrained(sliver, sliver.amounts.egressGuarantee))),
  ],
  [
    'slice_sliver_egress_limit_bytes_per_second',
    'gauge',
    'Egress that it never exceeds, at layer 2.',
    one(({ sliver }) => bytes(restrained(sliver, sliver.amounts.egressLimit))),
  ],
  ['slice_sliver_egress_bytes_total', 'counter', 'Bytes sent, at layer 2.', sent((row) => row.bytes)],
  ['slice_sliver_egress_packets_total', 'counter', 'Packets sent.', sent((row) => row.packets)],
  [
    'slice_sliver_egress_queue_dropped_packets_total',
    'counter',
    'Packets dropped because its queue was full: it sent more than it gets.',
    sent((row) => row.drops),
  ],
  ['slice_sliver_egress_backlog_bytes', 'gauge', 'Bytes that wait in its queue.', sent((row) => row.backlog)],
  [
    'slice_sliver_packets_total',
    'counter',
    'Packets that it sent and that were its own to send, before the queue.',
    one(({ guarded }) => guarded?.packets),
  ],
  [
    'slice_sliver_dropped_total',
    'counter',
    'Packets and calls that were refused, by reason.',
    ({ guarded }, base) =>
      Object.entries(guarded?.drops ?? {}).flatMap(([reason, count]): Sample[] =>
        count > 0 ? [[withLabels(base, { reason }), count]] : [],
      ),
  ],
];

/** What every line has besides the classes of slivers. */
const CLASSES: readonly [number, string][] = [
  [CLASS_LINE, 'line'],
  [CLASS_NODE, 'node'],
  [CLASS_SLIVERS, 'slivers'],
  [CLASS_EXEMPT, 'exempt'],
];

const OF_NODE: readonly Source<NodeUsage>[] = [
  [
    'slice_node_cpu_cores',
    'gauge',
    'CPU that the node can allocate: 1000 shares.',
    one(({ facts }) => facts && facts.cpuMilli / 1000),
  ],
  [
    'slice_node_egress_limit_bytes_per_second',
    'gauge',
    "The owner's limit for all slivers together, at layer 2.",
    one(({ facts }) => facts && bytes(facts.egressLimit)),
  ],
  [
    'slice_node_egress_bytes_total',
    'counter',
    'Bytes that left by a line: all of them, of the node itself, of slivers, of slivers to exempt destinations.',
    ({ lines }) =>
      [...lines].flatMap(([name, classes]) =>
        CLASSES.flatMap(([minor, title]): Sample[] => {
          const row = classes.get(minor);
          return row ? [[labels({ interface: name, class: title }), row.bytes]] : [];
        }),
      ),
  ],
];

/** Pure. */
export function planFamilies(usage: NodeUsage): Family[] {
  const slivers = usage.slivers.map((row) => [row, labelsOf(row)] as const);
  return [
    ...OF_NODE.map(([name, type, help, read]) => ({ name, type, help, samples: read(usage, '') })),
    ...OF_SLIVERS.map(([name, type, help, read]) => ({
      name,
      type,
      help,
      samples: slivers.flatMap(([row, base]) => read(row, base)),
    })),
  ];
}

/** So often the reading failed, since the node manager began. */
export function planFailures(count: number): Family {
  const help = 'Scrapes for which it could not be read what slivers got.';
  return { name: 'slice_node_usage_failures_total', type: 'counter', help, samples: [['', count]] };
}

/** What exported sensors had that was too much for one scrape. */
export function planLeftOut(count: number): Family {
  const help = 'Samples of exported sensors for which a scrape has no room.';
  return { name: 'slice_node_sensor_samples_left_out', type: 'gauge', help, samples: [['', count]] };
}

function labelsOf({ sliver: { rcap, slice = '' }, pod }: SliverUsage): Labels {
  return labels({ namespace: rcap.namespace, slice, pod });
}
