/** Keeps the CPU promise: the one writer of pods' CPU weights and quotas on this node. */
import { dirname } from 'node:path';
import type { Desired, Enforcer, EnforcerReport, Problem } from '../sliver.ts';
import { CgroupError, type CgroupTree, type PodCgroup, type TreeOptions, openTree } from './cgroups.ts';
import { filesOf, observeCpu, writeFile } from './kernel.ts';
import { OriginalsFile } from './originals.ts';
import { type CpuWrite, type Originals, planCpu, planRelease } from './plan.ts';
import { tellSystemd } from './systemd.ts';
import { WeightWatch } from './watch.ts';

export interface CpuOptions extends TreeOptions {
  /** A file of ours, on a disk that outlives a reboot: the weights to put back. */
  stateFile: string;
  /** Called when somebody else changed a weight or made a pod: a pass is due now. */
  onDisturbed?: () => void;
}

/** The CPU enforcer. One on each node: two would fight over the same files. */
export function createCpuEnforcer(options: CpuOptions): Enforcer {
  const originals = new OriginalsFile(options.stateFile);
  const watch = options.onDisturbed && new WeightWatch(options.onDisturbed);

  /** Records first what will be put back, then writes. */
  const apply = async (
    tree: CgroupTree,
    cgroups: Map<string, PodCgroup>,
    plan: { writes: CpuWrite[]; originals: Originals },
    signal?: AbortSignal,
  ): Promise<EnforcerReport> => {
    const version = tree.version('cpu') ?? 1;
    const report: EnforcerReport = { writes: 0, problems: [] };
    let { writes } = plan;
    try {
      originals.set(plan.originals);
    } catch (error) {
      // A full disk must not keep a sliver at a weight to which it has no right; it has no other weight to be put back.
      writes = writes.filter(({ uid }) => plan.originals[uid]?.sliver);
      const message = `pods that are no slivers keep their weights: ${(error as Error).message}`;
      report.problems.push({ reason: 'StateNotSaved', message });
    }
    let systemdProblem: Problem | undefined;
    for (const write of writes) {
      const { path } = cgroups.get(write.uid)!;
      for (const file of filesOf(write, tree.directory('cpu', path)!, version)) {
        try {
          watch?.expect(file.path, file.content);
          if (writeFile(file)) report.writes++;
        } catch (error) {
          const message = `${file.path} could not be set to ${file.content}: ${(error as Error).message}`;
          report.problems.push({ sliver: write.uid, reason: 'CpuWriteFailed', message });
        }
      }
      if (tree.driver !== 'systemd' || systemdProblem) continue;
      try {
        await tellSystemd(write, path, version, signal);
      } catch (error) {
        // One report for the node: without a bus every pod fails alike, and each try would cost its deadline.
        const message = `systemd was not told the weight of ${path}, a daemon-reload will undo it: ${(error as Error).message}`;
        systemdProblem = { reason: 'SystemdNotTold', message };
        report.problems.push(systemdProblem);
      }
    }
    return report;
  };

  return {
    name: 'cpu',

    async enforce(desired: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      signal.throwIfAborted();
      let tree: CgroupTree;
      try {
        tree = openTree(options);
      } catch (error) {
        if (!(error instanceof CgroupError)) throw error;
        return { writes: 0, problems: [{ reason: 'NoCgroups', message: error.message }] };
      }
      const { observed, cgroups } = observeCpu(tree);
      const plan = planCpu(observed, desired, originals.get());
      const report = await apply(tree, cgroups, plan, signal);
      const kept = Object.keys(plan.originals).map((uid) => tree.directory('cpu', cgroups.get(uid)!.path)!);
      const parents = tree.burstable === undefined ? [] : [tree.directory('cpu', tree.burstable)!];
      watch?.update(kept, kept.length > 0 ? [...parents, ...parents.map(dirname)] : []);
      return { writes: report.writes, problems: [...plan.problems, ...report.problems] };
    },

    async release(): Promise<void> {
      watch?.close();
      let tree: CgroupTree;
      try {
        tree = openTree(options);
      } catch (error) {
        if (error instanceof CgroupError) return;
        throw error;
      }
      const { observed, cgroups } = observeCpu(tree);
      const { problems } = await apply(tree, cgroups, planRelease(observed, originals.get()));
      const failed = problems.filter(({ reason }) => reason === 'CpuWriteFailed' || reason === 'StateNotSaved');
      if (failed.length > 0) throw new Error(failed.map((problem) => problem.message).join('; '));
      originals.set({});
    },
  };
}
