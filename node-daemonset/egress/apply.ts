/** Keeps the egress promise on every uplink: one tc batch and at most two nft transactions a pass, none if all is well. */
import { ExecError, run } from '../exec.ts';
import type { Desired, Enforcer, EnforcerReport, Problem } from '../sliver.ts';
import { type Baseline, planUnclassified, sumCounters } from './counters.ts';
import { TABLE } from './names.ts';
import { observeLines, observeTable, readDefaultRoutes, readLinkSpeed } from './observe.ts';
import { type TcLine, planEgress } from './plan.ts';
import { type ClassCounters, parseBatchErrors, removeRootLine } from './tc.ts';
import { planUplinks } from './uplinks.ts';

/** The egress enforcer; acts in the network namespace of this process, the node's. */
export interface EgressEnforcer extends Enforcer {
  /** What each class has sent over all uplinks since it was made, as seen by the last pass; by HTB minor. */
  counters(): ReadonlyMap<number, ClassCounters>;
  /** The same by uplink: what to add up is known only where it is known what began anew. */
  lineCounters(): ReadonlyMap<string, ReadonlyMap<number, ClassCounters>>;
}

export interface EgressOptions {
  /** Called before classes are removed: what leads packets to those that are not in the desired state must end by then. */
  beforeClassesGo?: (desired: Desired) => Promise<void>;
}

/** More of one pass's failures say nothing new. */
const MAX_REPORTED = 20;

export function createEgressEnforcer({ beforeClassesGo }: EgressOptions = {}): EgressEnforcer {
  let counters: ReadonlyMap<number, ClassCounters> = new Map();
  let lineCounters: ReadonlyMap<string, ReadonlyMap<number, ClassCounters>> = new Map();
  let baselines: ReadonlyMap<string, Baseline> = new Map();

  return {
    name: 'egress',

    counters: () => counters,
    lineCounters: () => lineCounters,

    async enforce(desired: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      const [lines, table] = await Promise.all([observeLines(signal), observeTable(signal)]);
      counters = sumCounters([...lines.values()].map((line) => line.counters));
      lineCounters = new Map(
        [...lines].filter(([, { root }]) => root === 'ours').map(([dev, line]) => [dev, line.counters]),
      );
      const interfaces = new Set(lines.keys());
      const { uplinks, problems } = planUplinks(desired.facts.lines, readDefaultRoutes(), interfaces, readLinkSpeed);
      const plan = planEgress({ lines, table }, uplinks, desired);
      const probe = planUnclassified(baselines, desired.slivers, counters);
      baselines = probe.baselines;
      if (plan.tc.some(({ text }) => text.startsWith('class del'))) await beforeClassesGo?.(desired);
      await nft(plan.before, signal);
      const failures = await tc(plan.tc, desired, signal);
      await nft(plan.after, signal);
      const writes = plan.before.length + plan.tc.length + plan.after.length;
      return { writes, problems: [...problems, ...plan.problems, ...probe.problems, ...failures] };
    },

    async release(): Promise<void> {
      await nft([`add table ${TABLE}`, `delete table ${TABLE}`]);
      const lines = await observeLines();
      const ours = [...lines].filter(([, line]) => line.root === 'ours').map(([dev]) => removeRootLine(dev));
      // The kernel attaches its own default again: nothing else was ever replaced.
      if (ours.length > 0) await run(['tc', '-batch', '-'], { input: `${ours.join('\n')}\n` });
    },
  };
}

/** One transaction: all of it, or none. */
async function nft(script: readonly string[], signal?: AbortSignal): Promise<void> {
  if (script.length === 0) return;
  await run(['nft', '-f', '-'], { input: `${script.join('\n')}\n`, ...(signal && { signal }) });
}

/** One batch; a line that fails stops no other, and is a problem of its sliver. */
async function tc(lines: readonly TcLine[], { slivers }: Desired, signal: AbortSignal): Promise<Problem[]> {
  if (lines.length === 0) return [];
  try {
    await run(['tc', '-force', '-batch', '-'], { input: `${lines.map(({ text }) => text).join('\n')}\n`, signal });
    return [];
  } catch (error) {
    if (!(error instanceof ExecError) || error.code === null) throw error;
    const errors = parseBatchErrors(error.stderr);
    if (errors.length === 0) throw error;
    return errors.slice(0, MAX_REPORTED).map(({ line, message }): Problem => {
      const failed = lines[line];
      const sliver = slivers.find(({ classId }) => classId === failed?.minor)?.id;
      const text = `tc refused "${failed?.text ?? `line ${line}`}": ${message}`;
      return { ...(sliver !== undefined && { sliver }), reason: 'EgressWriteFailed', message: text };
    });
  }
}
