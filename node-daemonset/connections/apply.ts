/**
 * Bounds the connections that slivers begin from the node's own network, as those of pods are bounded where they arrive, and
 * lets in no more than answers at ports that the kernel chose.
 */
import { CgroupError, openTree, type TreeOptions } from '../cpu/cgroups.ts';
import { ExecError, run } from '../exec.ts';
import { readPortRange } from '../guard/observe.ts';
import type { Desired, Enforcer, EnforcerReport, Problem } from '../sliver.ts';
import { readTableSize } from '../sources/apply.ts';
import { beginningsOf } from '../sources/nft.ts';
import { parseTable, removeTable, TABLE } from './nft.ts';
import { isOnNode, planConnections } from './plan.ts';

export interface ConnectionsOptions extends TreeOptions {
  /** How many connections the kernel remembers at most; what it says itself by default. */
  tableSize?: number;
}

/** Acts in the network namespace of this process, the node's. */
export function createConnectionsEnforcer(options: ConnectionsOptions): Enforcer {
  return {
    name: 'connections',

    async enforce({ slivers }: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      try {
        const beginnings = beginningsOf(options.tableSize ?? readTableSize());
        const facts = { ...beginnings, level: levelOfPods(options), ...readPortRange() };
        const script = planConnections(parseTable(await list(signal), facts), facts, slivers);
        if (script.length > 0) await run(['nft', '-f', '-'], { input: `${script.join('\n')}\n`, signal });
        return { writes: script.length, problems: [] };
      } catch (error) {
        const isLacking = error instanceof ExecError && /not supported|No such file/.test(error.stderr);
        if (!isLacking && !(error instanceof CgroupError)) throw error;
        return { writes: 0, problems: slivers.some(isOnNode) ? [unbounded(error)] : [] };
      }
    },

    async release(): Promise<void> {
      if ((await list()) !== undefined) await run(['nft', '-f', '-'], { input: `${removeTable().join('\n')}\n` });
    },
  };
}

function unbounded({ message }: Error): Problem {
  const what = "slivers on the node's network, and raw sockets, may begin any number of connections";
  return { reason: 'ConnectionsNotBounded', message: `${what}, and get more than answers: ${message}` };
}

/**
 * How deep pods' cgroups are in the tree of cgroup v2, which is that of the controllers, or beside it: below the kubelet's
 * directory and one for their kind; the containers of Guaranteed pods, which have none for their kind, are as deep.
 */
function levelOfPods(options: TreeOptions): number {
  return (
    openTree(options)
      .kubepods.split('/')
      .filter((name) => name !== '').length + 2
  );
}

/** undefined: there is no such table. */
async function list(signal?: AbortSignal): Promise<string | undefined> {
  try {
    return (await run(['nft', '-j', '-t', 'list', 'table', ...TABLE.split(' ')], signal && { signal })).stdout;
  } catch (error) {
    if (!(error instanceof ExecError) || !/No such file/.test(error.stderr)) throw error;
    return undefined;
  }
}
