/** What each sliver was promised and what the kernel gave it, read twice from every node's manager. */
import { cpus } from 'node:os';
import { formatRate } from '../../crds/quantity.ts';
import { forward, type Forward } from './forward.ts';

/** The node managers' port for health, metrics and this; the chart's `node.healthPort`. */
const STATUS_PORT = 33081;

/** One sliver as a node manager shows it at /slivers. */
interface Reading {
  pod: string;
  namespace: string;
  slice: string;
  shares: number;
  /** bits/s */
  guarantee: number;
  /** bits/s */
  limit: number;
  /** nanoseconds since the pod began */
  cpuTime: number | null;
  bytesSent: number | null;
}

export interface Measured {
  slice: string;
  node: string;
  shares: number;
  /** Part of the node's allocatable CPU, 0 to 1. */
  cpu: number;
  /** The node's. */
  cores: number;
  guarantee: number;
  limit: number;
  /** bits/s at layer 2 */
  egress: number;
}

interface NodeReading {
  /** When the node read its counters, in ms. */
  time: number;
  slivers: Reading[];
}

export interface Manager {
  node: string;
  pod: string;
  namespace: string;
  /** Allocatable CPU in cores. */
  cores: number;
}

/** Asks the manager that runs: on a node whose CPU is all taken, a new process for each question would take its time. */
async function read({ port }: Forward): Promise<NodeReading> {
  const answer = await fetch(`http://127.0.0.1:${port}/slivers`, { signal: AbortSignal.timeout(60_000) });
  if (!answer.ok) throw new Error(`/slivers: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as NodeReading;
}

/** CPU time that all programs of this machine have used since its start, in ms: that of nodes that are parts of it, too. */
function machineBusy(): number {
  return cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
}

/**
 * What to say of slivers that got less CPU than promised: nodes that are parts of this machine can only share what its other
 * programs leave. undefined where everybody who wants it got it; `busy`: cores that all programs used, of `cores`.
 */
export function shortfall(measured: readonly Measured[], busy: number, cores: number): string | undefined {
  const greedy = measured.filter(({ egress }) => egress > 0);
  if (greedy.every(({ cpu, shares }) => cpu >= (shares / 1000) * 0.95)) return undefined;
  const other = Math.max(0, busy - measured.reduce((sum, one) => sum + one.cpu * one.cores, 0));
  return (
    `Less CPU than promised: other programs of this machine took ${other.toFixed(1)} of its ${cores} cores, and the nodes are\n` +
    'parts of it. Among the slivers of a node it is shared as promised; run it again when nothing else runs.'
  );
}

/** Reads all nodes, waits, reads again; a sliver that was not there both times is left out. */
export async function measure(
  kubectl: readonly string[],
  managers: readonly Manager[],
  seconds: number,
): Promise<{ measured: Measured[]; busy: number }> {
  const forwards = await Promise.all(
    managers.map(({ namespace, pod }) => forward(kubectl, namespace, pod, STATUS_PORT)),
  );
  const first = await Promise.all(forwards.map(read));
  const [began, busyBefore] = [performance.now(), machineBusy()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const busy = (machineBusy() - busyBefore) / (performance.now() - began);
  const second = await Promise.all(forwards.map(read));
  for (const { close } of forwards) close();
  const measured = managers.flatMap(({ node, cores }, index) => {
    const elapsed = (second[index]!.time - first[index]!.time) / 1000;
    return second[index]!.slivers.flatMap((row) => {
      const before = first[index]!.slivers.find(({ pod }) => pod === row.pod);
      if (!before) return [];
      const cpu = ((row.cpuTime ?? 0) - (before.cpuTime ?? 0)) / 1e9 / elapsed / cores;
      const egress = (((row.bytesSent ?? 0) - (before.bytesSent ?? 0)) * 8) / elapsed;
      const { slice, shares, guarantee, limit } = row;
      return [{ slice: `${row.namespace}/${slice}`, node, shares, cpu, cores, guarantee, limit, egress }];
    });
  });
  return { measured, busy };
}

/** A heading and a row a sliver, by node and then by shares. */
export function rowsOf(measured: readonly Measured[]): string[][] {
  const sorted = [...measured].sort((a, b) => a.node.localeCompare(b.node) || a.shares - b.shares);
  const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
  return [
    ['SLICE', 'NODE', 'SHARES', 'CPU PROMISED', 'CPU GOT', 'EGRESS GUARANTEE', 'LIMIT', 'EGRESS GOT'],
    ...sorted.map((one) => [
      one.slice,
      one.node,
      String(one.shares),
      percent(one.shares / 1000),
      percent(one.cpu),
      formatRate(one.guarantee),
      formatRate(one.limit),
      formatRate(one.egress),
    ]),
  ];
}
