/** What each sliver was promised and what it got. */
import type { Column } from '../../../crds/reading.ts';
import type { SliverCounters } from '../../bpf/kernel.ts';
import type { ClassCounters } from '../../egress/tc.ts';
import { heldEgress } from '../../egress/tree.ts';
import type { Sliver } from '../../sliver.ts';
import { SensorError } from '../registry.ts';
import type { Source } from '../source.ts';
import { type Builtin, builtin, type Row, SLICE_ARGUMENT, sliceFilter } from './builtin.ts';
import type { EndedSliver } from './ended.ts';
import type { SliverRates } from './rates.ts';
import { sentThrough } from './sent.ts';

export interface SliverParts {
  /** As they are now, with what they are entitled to. */
  slivers(): readonly Sliver[];
  /** By HTB minor, not older than a reading's cache time. */
  classes(): ReadonlyMap<number, ClassCounters>;
  /** By `Sliver.number`. */
  drops(): ReadonlyMap<number, SliverCounters>;
  /** Of the slivers' cgroups, by pod uid; what is gone is missing. */
  usage(): ReadonlyMap<string, CgroupUsage>;
  /** What those had sent that ended lately. */
  ended?(): readonly EndedSliver[];
  /** Of the samples that the node takes by itself. */
  rates: SliverRates;
  now(): number;
}

export interface CgroupUsage {
  /** ns */
  cpuTime: number | undefined;
  /** Periods in which it was stopped at its limit, and for how many ns. */
  throttled: number | undefined;
  throttledTime: number | undefined;
  /** bytes */
  memory: number | undefined;
  processes: number | undefined;
}

const IDENTITY: readonly Column[] = [
  { name: 'namespace', type: 'string' },
  { name: 'slice', type: 'string' },
  { name: 'pod', type: 'string', help: "The pod's uid." },
];

const SECONDS = 1e9;

export function sliverSensors(parts: SliverParts): Source[] {
  const { slivers, now } = parts;
  const sensor = (
    one: Pick<Builtin, 'name' | 'description' | 'columns'>,
    row: (sliver: Sliver) => Row | Row[],
    prepare?: () => void,
    ended: () => readonly EndedSliver[] = () => [],
  ): Source => {
    const rows: Builtin['rows'] = (args) => {
      const wanted = sliceFilter(args);
      const found = slivers().filter((sliver) => wanted(identity(sliver)));
      const gone = ended().filter(wanted);
      if (found.length + gone.length === 0 && args.length > 0) {
        throw new SensorError('NotFound', `slice ${args.join('/')} has no sliver on this node`);
      }
      prepare?.();
      const live = found.flatMap((sliver) => {
        const own = row(sliver);
        return (Array.isArray(own) ? own : [own]).map((cells) => ({ ...identity(sliver), ...cells }));
      });
      return [...live, ...gone.map((one) => ({ ...one }))];
    };
    const columns = [...IDENTITY, ...one.columns];
    return builtin({ ...one, columns, arguments: SLICE_ARGUMENT, rows }, now);
  };

  let classes: ReadonlyMap<number, ClassCounters> = new Map();
  let usage: ReadonlyMap<string, CgroupUsage> = new Map();
  const readClasses = (): void => void (classes = parts.classes());
  const readUsage = (): void => void (usage = parts.usage());

  return [
    sensor(
      { name: 'slivers', description: 'The slivers of the node, each with what it may use.', columns: SLIVERS },
      (one) => ({
        ...{ standing: one.standing, network: one.network, addresses: one.addresses.join(' ') },
        ...{ shares: one.amounts.shares, excess: one.amounts.excess },
        ...heldEgress(one),
        held: heldBy(one),
      }),
    ),
    sensor(
      { name: 'bandwidth', description: 'What each sliver may send and sends, at layer 2.', columns: BANDWIDTH },
      (one) => {
        const sent = sentThrough(classes, one.classId);
        const rate = parts.rates.sent.of(one.id);
        return { ...heldEgress(one), held: heldBy(one), rate: rate === null ? null : Math.round(rate * 8), ...sent };
      },
      readClasses,
      parts.ended,
    ),
    sensor(
      { name: 'cpu', description: 'What CPU each sliver is promised and uses.', columns: CPU },
      (one) => {
        const { cpuTime, throttled, throttledTime } = usage.get(one.id) ?? NO_USAGE;
        const { shares, excess } = one.amounts;
        const seconds = over(cpuTime, SECONDS);
        return {
          ...{ shares, excess, seconds, throttled, throttled_seconds: over(throttledTime, SECONDS) },
          cpus: over(parts.rates.cpu.of(one.id) ?? undefined, SECONDS),
        };
      },
      readUsage,
    ),
    sensor(
      { name: 'memory', description: 'What memory and how many processes each sliver has.', columns: MEMORY },
      (one) => {
        const { memory: used, processes } = usage.get(one.id) ?? NO_USAGE;
        return { used, limit: one.amounts.memory, processes, processes_limit: one.amounts.processes };
      },
      readUsage,
    ),
    sensor(
      { name: 'drops', description: 'What each sliver sent and was not let send, by reason.', columns: DROPS },
      (one) => dropRows(parts.drops().get(one.number), sentThrough(classes, one.classId)?.queue_drops),
      readClasses,
    ),
  ];
}

const NO_USAGE: CgroupUsage = {
  cpuTime: undefined,
  throttled: undefined,
  throttledTime: undefined,
  memory: undefined,
  processes: undefined,
};

/** Counters begin anew with each pod, and a slice may have two at a time. */
function identity({ rcap, slice, id }: Sliver): { namespace: string; slice: string; pod: string } {
  return { namespace: rcap.namespace, slice: slice ?? '', pod: id };
}

/** What its guarantee and limit are because of now; empty where they are those that it was granted. */
function heldBy(sliver: Sliver): string {
  const { standing, restraintLimit = Infinity, budgetLimit = Infinity, amounts } = sliver;
  if (standing !== 'entitled') return 'Standing';
  if (Math.min(restraintLimit, budgetLimit) >= amounts.egressLimit) return '';
  return restraintLimit <= budgetLimit ? 'Restraint' : 'Budget';
}

function over(value: number | undefined, unit: number): number | null {
  return value === undefined ? null : value / unit;
}

/** Reasons that never happened are left out. */
function dropRows(counters: SliverCounters | undefined, queue: number | undefined): Row[] {
  const all = { ...counters?.drops, queue: queue ?? 0 };
  return Object.entries(all).flatMap(([reason, packets]) => (packets > 0 ? [{ reason, packets }] : []));
}

const HELD: Column = {
  name: 'held',
  type: 'string',
  help: 'What holds it to less than it was granted: Standing, Restraint or Budget.',
};
const SLIVERS: readonly Column[] = [
  { name: 'standing', type: 'string', help: 'entitled, penalised or frozen.' },
  { name: 'network', type: 'string', help: 'Whose address it has: Pod or Host.' },
  { name: 'addresses', type: 'string' },
  { name: 'shares', type: 'integer', help: '1/1000 of the node.' },
  { name: 'excess', type: 'string', help: 'Whether it may use idle CPU: Share or None.' },
  { name: 'guarantee', type: 'integer', unit: 'bits/s' },
  { name: 'limit', type: 'integer', unit: 'bits/s' },
  HELD,
];
const BANDWIDTH: readonly Column[] = [
  { name: 'guarantee', type: 'integer', unit: 'bits/s', help: 'What it gets at least when it wants it.' },
  { name: 'limit', type: 'integer', unit: 'bits/s', help: 'What it never exceeds.' },
  HELD,
  { name: 'rate', type: 'integer', unit: 'bits/s', help: 'Mean of the last 10 s, sampled by the node.' },
  { name: 'bytes', type: 'integer', unit: 'bytes', help: 'Sent since its class was made.' },
  { name: 'packets', type: 'integer' },
  { name: 'queue_drops', type: 'integer', help: 'Packets for which its queue had no room.' },
  { name: 'backlog', type: 'integer', unit: 'bytes', help: 'In its queue now.' },
];
const CPU: readonly Column[] = [
  { name: 'shares', type: 'integer', help: '1/1000 of the node, whenever it wants them.' },
  { name: 'excess', type: 'string' },
  { name: 'seconds', type: 'number', unit: 'seconds', help: 'Used since the pod began.' },
  { name: 'cpus', type: 'number', help: 'Mean of the last 10 s, sampled by the node.' },
  { name: 'throttled', type: 'integer', help: 'Periods in which it was held at its limit.' },
  { name: 'throttled_seconds', type: 'number', unit: 'seconds' },
];
const MEMORY: readonly Column[] = [
  { name: 'used', type: 'integer', unit: 'bytes' },
  { name: 'limit', type: 'integer', unit: 'bytes' },
  { name: 'processes', type: 'integer' },
  { name: 'processes_limit', type: 'integer' },
];
const DROPS: readonly Column[] = [
  { name: 'reason', type: 'string', help: 'Of whoever guards the node; queue: its own class was full.' },
  { name: 'packets', type: 'integer', help: 'Packets and calls.' },
];
