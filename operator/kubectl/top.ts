/** Promised against got, for each slice on each node: two readings of the nodes' own counters. Pure. */
import { formatRate } from '../../crds/quantity.ts';

/** One sliver as its node manager shows it (`status --json`). */
export interface SliverReading {
  pod: string;
  namespace: string;
  slice: string;
  standing: string;
  shares: number;
  /** bits/s */
  guarantee: number;
  limit: number;
  /** Nanoseconds since the pod began. */
  cpuTime: number | null;
  bytesSent: number | null;
}

export interface NodeReading {
  /** ms since the epoch */
  time: number;
  slivers: SliverReading[];
}

export const HEADING = [
  'SLICE',
  'NODE',
  'STANDING',
  'SHARES',
  'CPU PROMISED',
  'CPU GOT',
  'GUARANTEE',
  'LIMIT',
  'SENDS',
];

/** `cores`: allocatable; undefined where it is not known, and CPU is then shown in cores. */
export function planTop(
  node: string,
  cores: number | undefined,
  before: NodeReading,
  after: NodeReading,
  isWanted: (slice: string) => boolean,
): string[][] {
  const seconds = (after.time - before.time) / 1000;
  const first = new Map(before.slivers.map((sliver) => [sliver.pod, sliver]));
  return after.slivers
    .filter(({ namespace, slice }) => isWanted(`${namespace}/${slice}`))
    .map((now) => {
      const was = first.get(now.pod);
      const cpu = grown(was?.cpuTime, now.cpuTime, seconds * 1e9);
      const sends = grown(was?.bytesSent, now.bytesSent, seconds / 8);
      return [
        `${now.namespace}/${now.slice}`,
        node,
        now.standing,
        String(now.shares),
        `${(now.shares / 10).toFixed(1)} %`,
        cpu === undefined
          ? '-'
          : cores === undefined
            ? `${cpu.toFixed(2)} cores`
            : `${((cpu / cores) * 100).toFixed(1)} %`,
        formatRate(now.guarantee),
        formatRate(now.limit),
        sends === undefined ? '-' : formatRate(sends),
      ];
    });
}

/** undefined where the counter was not there both times, or began anew. */
function grown(was: number | null | undefined, now: number | null, by: number): number | undefined {
  if (was === null || was === undefined || now === null || now < was || by <= 0) return undefined;
  return (now - was) / by;
}
