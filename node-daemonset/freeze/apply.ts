/** Freezes and thaws pods by the v1 freezer or v2 `cgroup.freeze`, at the pod. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPods, openTree, type TreeOptions } from '../cpu/cgroups.ts';
import { pendingEnd, processesOf, readOr } from '../processes.ts';
import type { Desired, Enforcer, EnforcerReport, Problem, Sliver } from '../sliver.ts';
import { type Ending, isEnding, NOT_ENDING, type ObservedFreeze, planFreeze } from './plan.ts';

export interface FreezeOptions extends TreeOptions {
  /** Where proc(5) of the host's processes is. Default /proc. */
  proc?: string;
  /** How often pods that are to be frozen are looked at for a signal that waits, in ms. Default 1000. */
  pollMs?: number;
  now?: () => number;
}

export interface FreezeEnforcer extends Enforcer {
  /** Thaws these slivers too, for a process that did not freeze them itself. */
  release(slivers?: readonly Sliver[]): Promise<void>;
  /** Stops looking; what is frozen stays frozen. */
  close(): void;
}

/** The enforcer of standing `frozen`. */
export function createFreezeEnforcer(options: FreezeOptions = {}): FreezeEnforcer {
  const { proc = '/proc', pollMs = 1000, now = Date.now } = options;
  /** Directories of the pods that are to be frozen, and are unless they end, by uid. */
  let watched = new Map<string, string>();
  const endings = new Map<string, Ending>();
  let timer: NodeJS.Timeout | undefined;

  const ending = (uid: string, directory: string, isFrozen: boolean): boolean => {
    const read = (pid: number): string => readOr(join(proc, String(pid), 'status'), '');
    const pending = processesOf(directory).map((pid) => pendingEnd(read(pid)));
    const signal = pending.includes('kill') ? 'kill' : pending.includes('term') ? 'term' : undefined;
    const next = isEnding(endings.get(uid) ?? NOT_ENDING, signal, isFrozen, now());
    endings.set(uid, next.state);
    return next.ending;
  };

  /** Between passes: a kubelet that waits for a frozen pod to end would wait for the next full pass. */
  const look = (): void => {
    for (const [uid, directory] of watched) {
      const isFrozen = readFrozen(directory);
      if (isFrozen === undefined) continue;
      const freeze = !ending(uid, directory, isFrozen);
      try {
        if (freeze !== isFrozen) setFrozen(directory, freeze);
      } catch {
        // gone, or refused: the next pass reports it
      }
    }
    schedule();
  };
  const schedule = (): void => {
    clearTimeout(timer);
    timer = watched.size > 0 ? setTimeout(look, pollMs).unref() : undefined;
  };

  return {
    name: 'freeze',

    async enforce({ slivers }: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      signal.throwIfAborted();
      // Whoever has a right again may lose it again, and end in peace again.
      const without = new Set(slivers.filter(({ standing }) => standing === 'frozen').map(({ id }) => id));
      for (const uid of endings.keys()) if (!without.has(uid)) endings.delete(uid);
      if (slivers.length === 0) {
        watched = new Map();
        schedule();
        return { writes: 0, problems: [] };
      }
      const tree = openTree(options);
      const pods = findPods(tree);
      const observed = new Map<string, ObservedFreeze>();
      const directories = new Map<string, string>();
      for (const { id, standing } of slivers) {
        const directory = pods.has(id) ? tree.directory('freezer', pods.get(id)!.path) : undefined;
        const isFrozen = directory === undefined ? undefined : readFrozen(directory);
        if (directory === undefined || isFrozen === undefined) continue;
        directories.set(id, directory);
        observed.set(id, { frozen: isFrozen, ending: standing === 'frozen' && ending(id, directory, isFrozen) });
      }
      const problems: Problem[] = [];
      let writes = 0;
      for (const { sliver, freeze } of planFreeze(slivers, observed)) {
        const directory = directories.get(sliver)!;
        try {
          setFrozen(directory, freeze);
          writes++;
        } catch (error) {
          if (readFrozen(directory) === undefined) continue;
          const what = freeze ? 'frozen' : 'thawed';
          problems.push({
            sliver,
            reason: freeze ? 'NotFrozen' : 'NotThawed',
            message: `${directory} could not be ${what}: ${(error as Error).message}`,
          });
        }
      }
      watched = new Map([...directories].filter(([id]) => without.has(id)));
      schedule();
      return { writes, problems };
    },

    async release(slivers = []): Promise<void> {
      clearTimeout(timer);
      if (slivers.length > 0) {
        const tree = openTree(options);
        const pods = findPods(tree);
        for (const { id } of slivers) {
          const directory = pods.has(id) ? tree.directory('freezer', pods.get(id)!.path) : undefined;
          if (directory !== undefined) watched.set(id, directory);
        }
      }
      for (const directory of watched.values()) if (readFrozen(directory)) setFrozen(directory, false);
      watched = new Map();
    },

    close(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** undefined where the pod has no cgroup any more, or this kernel no freezer. */
function readFrozen(directory: string): boolean | undefined {
  const v1 = readOr(join(directory, 'freezer.state'), undefined);
  // FREEZING is not yet FROZEN, but the kernel goes on by itself.
  if (v1 !== undefined) return v1.trim() !== 'THAWED';
  const v2 = readOr(join(directory, 'cgroup.freeze'), undefined);
  return v2 === undefined ? undefined : v2.trim() === '1';
}

function setFrozen(directory: string, freeze: boolean): void {
  if (readOr(join(directory, 'freezer.state'), undefined) !== undefined) {
    writeFileSync(join(directory, 'freezer.state'), freeze ? 'FROZEN' : 'THAWED');
  } else writeFileSync(join(directory, 'cgroup.freeze'), freeze ? '1' : '0');
}
