/** What the CPU promise says, measured on whatever cgroup version this machine has. */
import type { Report } from '../report.ts';
import { BusyNode, type NodeOptions, type Times } from './node.ts';

export interface Durations {
  /** Seconds for each of the proportions. */
  short: number;
  /** Seconds for which a pod must keep its request. */
  long: number;
}

export const DEFAULT_DURATIONS: Durations = { short: 20, long: 180 };
const SETTLE = 2;
/** Within a long measurement: long enough that one missed turn on a CPU does not show. */
const WINDOW = 10;
const QUOTA_PERIOD = 0.1;
/** Percent of the node that a pod requests; as a bar less a hundredth part, for what a clock and a scheduler tick miss. */
const REQUEST = 5;
const BAR = { min: REQUEST * 0.99 };

/** Reports one row for each promise; `where` names the kernel's version of cgroups. */
export async function measurePromises(
  where: string,
  options: NodeOptions,
  durations: Durations,
  report: Report,
  progress: (what: string) => void,
): Promise<void> {
  const onNode = async (measure: (node: BusyNode) => Promise<void>): Promise<void> => {
    const node = new BusyNode(options);
    try {
      await measure(node);
    } finally {
      await node.close();
    }
  };
  const kept = (name: string, share: number, note: string): void =>
    report({ name: `${where}, ${name} keeps its ${REQUEST} %`, value: share, unit: '% of all pods', bar: BAR, note });

  await onNode(async (node) => {
    progress(`${where}: shares of 1:2:3`);
    const shares = { a: 100, b: 200, c: 300 };
    for (const [uid, share] of Object.entries(shares)) await node.addSliver(uid, { shares: share });
    const [before, after] = [await node.wait(SETTLE), await node.wait(durations.short)];
    for (const [uid, share] of Object.entries(shares)) {
      const due = (share / 600) * 100;
      const bar = { min: round(due - 1), max: round(due + 1) };
      const value = percent(before, after, uid);
      report({ name: `${where}, shares 1:2:3, sliver ${uid}`, value, unit: '% of the three', bar });
    }
    progress(`${where}: a fourth sliver with excess None`);
    await node.addSliver('d', { shares: 100, excess: 'None' });
    const [from, started] = [await node.wait(SETTLE), performance.now()];
    const to = await node.wait(durations.short * 2);
    const elapsed = (performance.now() - started) / 1000;
    const value = (used(from, to, 'd') / elapsed / node.cpus) * 100;
    // A measurement may begin and end within a period of the quota: one is seen more than has passed, at each end.
    const bar = { min: 9, max: 10 * (1 + (2 * QUOTA_PERIOD) / elapsed) };
    report({
      name: `${where}, excess None at 10 %`,
      value,
      unit: '% of the node',
      bar: { ...bar, max: round(bar.max, 2) },
    });
  });

  await onNode(async (node) => {
    progress(`${where}: a pod beside 950 shares`);
    for (const [i, shares] of [400, 300, 200, 50].entries()) await node.addSliver(`s${i}`, { shares });
    await node.addPod('pod', 'burstable', REQUEST * 10);
    const times = await watch(node, durations.long);
    kept('a pod beside 950 shares', percent(times[0]!, times.at(-1)!, 'pod'), worst([times], 'pod'));
  });

  await onNode(async (node) => {
    progress(`${where}: pods beside 700 shares and a Guaranteed pod`);
    for (const [i, shares] of [400, 200, 100].entries()) await node.addSliver(`s${i}`, { shares });
    await node.addPod('guaranteed', 'guaranteed', 200);
    await node.addPod('pod', 'burstable', REQUEST * 10);
    const half = await watch(node, durations.long / 2);
    await node.addPod('late', 'burstable', REQUEST * 10);
    const rest = await watch(node, durations.long / 2);
    const beside = 'beside 700 shares and a Guaranteed pod of 20 %';
    const all = [...half, ...rest];
    kept(`a pod ${beside}`, percent(all[0]!, all.at(-1)!, 'pod'), worst([half, rest], 'pod'));
    kept(`a pod created midway ${beside}`, percent(rest[0]!, rest.at(-1)!, 'late'), worst([rest], 'late'));
    const value = percent(rest[0]!, rest.at(-1)!, 'guaranteed');
    const name = `${where}, the Guaranteed pod of 20 % itself, which has no limit here`;
    report({ name, value, unit: '% of all pods' });
  });
}

/** Times at the start and after every window. */
async function watch(node: BusyNode, seconds: number): Promise<Times[]> {
  const times = [await node.wait(SETTLE)];
  for (let left = seconds; left > 0; left -= WINDOW) times.push(await node.wait(Math.min(left, WINDOW)));
  return times;
}

function used(before: Times, after: Times, uid: string): number {
  return after.get(uid)! - (before.get(uid) ?? 0);
}

/** Of the CPU time of all pods. */
function percent(before: Times, after: Times, uid: string): number {
  let all = 0;
  for (const pod of after.keys()) all += used(before, after, pod);
  return (used(before, after, uid) / all) * 100;
}

/** Of the windows within each series. */
function worst(series: readonly Times[][], uid: string): string {
  const shares = series.flatMap((times) => times.slice(1).map((after, i) => percent(times[i]!, after, uid)));
  return `lowest in any ${WINDOW} s: ${Math.min(...shares).toFixed(2)} %`;
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
