/** Keeps the kernel's programs attached, and their maps as the slivers are: the one writer of both on this node. */
import { observeNodeAddresses, readAddressesAsText } from '../addresses/node.ts';
import { type Kernel, KernelError, type SliverCounters } from '../bpf/kernel.ts';
import { interfaceIndex, netnsCookie } from '../bpf/netns.ts';
import { type KernelOptions, openKernel, type SliverKernel } from '../bpf/open.ts';
import { CgroupError, type CgroupTree, findPods, openTree, type TreeOptions } from '../cpu/cgroups.ts';
import { readDefaultRoutes } from '../egress/observe.ts';
import { observeLinks } from '../ports/apply.ts';
import type { Desired, Enforcer, EnforcerReport, Problem } from '../sliver.ts';
import { idOf, readBroadcastAddresses, readPortRange, UnifiedPods } from './observe.ts';
import { isOnNode, planGuard } from './plan.ts';
import type { Tombstones } from './tombstones.ts';
import { observeMaps, retreatMaps, writeMaps } from './write.ts';

export interface GuardEnforcer extends Enforcer {
  /** For those who need the programs besides; undefined while the kernel has them not, which is told as a problem. */
  kernel(): Kernel | undefined;
  /** By `Sliver.number`; 0 is everybody else. Empty while there is no kernel. */
  counters(): ReadonlyMap<number, SliverCounters>;
  /**
   * Before classes go: what leads to them ends first. Whoever has ended sends nothing any more, and no destination is exempt
   * that is not to be, or their packets would be in no class of a sliver, and pass as the node's.
   */
  retreat(desired: Desired): Promise<void>;
  /** Lets go of the programs; they stay where they are and enforce. */
  close(): void;
}

export interface GuardOptions extends TreeOptions, KernelOptions {
  /** Called when the node's addresses are others than at the last pass: a pass is due now. */
  onDisturbed?: () => void;
  now?: () => number;
}

/** A kernel that refused is asked again after this. */
const RETRY_MS = 60_000;
/** A new address of the node's serves slivers after this at most; one that is gone is no way to forge one for long. */
const ADDRESSES_MS = 1000;

export function createGuardEnforcer(options: GuardOptions): GuardEnforcer {
  const now = options.now ?? Date.now;
  let kernel: SliverKernel | undefined;
  let refused: { error: KernelError; at: number } | undefined;
  let tombstones: Tombstones = new Map();
  let own: bigint | undefined;
  let netns: bigint | undefined;
  /** Directories of pods that are known, to be taken away with their slivers. */
  let directories = new Map<string, string>();
  let addressesAsText: string | undefined;
  let watch: NodeJS.Timeout | undefined;
  const watchAddresses = (onDisturbed: () => void): NodeJS.Timeout =>
    setInterval(() => {
      if (readAddressesAsText() !== addressesAsText) onDisturbed();
    }, ADDRESSES_MS).unref();

  const open = async (): Promise<SliverKernel | KernelError> => {
    if (kernel) return kernel;
    if (refused && now() - refused.at < RETRY_MS) return refused.error;
    try {
      return (kernel = await openKernel(options));
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      refused = { error, at: now() };
      return error;
    }
  };

  const guard = (
    opened: SliverKernel,
    tree: CgroupTree,
    kubepods: string,
    nodeAddresses: readonly string[],
    barred: readonly number[],
    desired: Desired,
  ): number => {
    const unified = new UnifiedPods(tree);
    const pods = findPods(tree);
    own ??= unified.own(pods.values());
    const found = new Map<string, string>();
    const cgroupIds = new Map<string, bigint>();
    for (const { id } of desired.slivers) {
      const pod = pods.get(id);
      const cgroup = pod && unified.pod(pod);
      if (!cgroup) continue;
      found.set(id, cgroup.directory);
      cgroupIds.set(id, cgroup.id);
    }
    const observed = observeMaps(opened);
    const settings = { kubepods: idOf(kubepods)!, manager: own, netns: (netns ??= netnsCookie()), ...readPortRange() };
    if (options.onDisturbed) watch ??= watchAddresses(options.onDisturbed);
    const ended = (number: number): number | undefined => opened.maps.counters.get(number)?.drops.ended;
    const endedDrops = new Map([...tombstones.keys()].flatMap((number) => pair(number, ended(number))));
    const plan = planGuard({
      observed,
      desired,
      settings,
      cgroupIds,
      nodeAddresses,
      broadcastAddresses: readBroadcastAddresses(),
      barred,
      tombstones,
      endedDrops,
      now: now(),
    });
    const writes = writeMaps(opened, observed, plan.state) + opened.attach(kubepods) + opened.sweep();
    tombstones = plan.tombstones;
    const wanted = new Set(desired.slivers.map(({ id }) => id));
    for (const [id, directory] of directories) if (!wanted.has(id)) unified.forget(directory);
    directories = new Map([...directories].filter(([id]) => wanted.has(id)).concat([...found]));
    return writes;
  };

  return {
    name: 'guard',
    kernel: () => kernel,
    counters: () => kernel?.counters() ?? new Map<number, SliverCounters>(),

    async enforce(desired: Desired, signal: AbortSignal): Promise<EnforcerReport> {
      const opened = await open();
      if (opened instanceof KernelError) return unguarded(desired, opened.message);
      let tree: CgroupTree;
      try {
        tree = openTree(options);
      } catch (error) {
        if (!(error instanceof CgroupError)) throw error;
        return unguarded(desired, error.message);
      }
      const kubepods = new UnifiedPods(tree).kubepods();
      if (kubepods === undefined)
        return unguarded(desired, 'no cgroup v2 is mounted: mount it at /sys/fs/cgroup/unified');
      addressesAsText = readAddressesAsText();
      const { local } = await observeNodeAddresses(desired.facts.lines, signal);
      const barred = await readBarred(desired, signal);
      const writes = guard(opened, tree, kubepods, local, barred, desired);
      const flows = await countFlows(opened, desired);
      return { writes: writes + flows.writes, problems: [...flows.problems, ...(own ? [] : rawUnguarded(desired))] };
    },

    async retreat(desired) {
      const opened = await open();
      if (!(opened instanceof KernelError)) retreatMaps(opened, desired);
    },

    async release(): Promise<void> {
      const opened = await open();
      if (opened instanceof KernelError) return;
      await opened.release();
      kernel = undefined;
    },

    close() {
      clearInterval(watch);
      kernel?.close();
      kernel = undefined;
    },
  };
}

/** Interfaces that lead out of the node and are no lines, where the owner lets slivers' packets leave by lines alone. */
async function readBarred(desired: Desired, signal: AbortSignal): Promise<number[]> {
  if (desired.facts.otherInterfaces !== 'Drop') return [];
  const links = await observeLinks(desired, signal);
  const names = links.filter(({ outside, isLine }) => outside && !isLine).map(({ name }) => name);
  return names.map(interfaceIndex).filter((index) => index > 0);
}

/** Counting what leaves is no condition of guarding it. */
async function countFlows({ flows }: SliverKernel, { facts }: Desired): Promise<EnforcerReport> {
  const problem = (error: KernelError | Error): Problem => ({
    reason: 'FlowsNotCounted',
    message: `who sends what is not recorded: ${error.message}`,
  });
  if (flows instanceof KernelError) return { writes: 0, problems: [problem(flows)] };
  const names = facts.lines.length > 0 ? facts.lines.map((line) => line.interface) : readDefaultRoutes();
  const interfaces = new Map(
    names.map((name) => [name, interfaceIndex(name)] as const).filter(([, index]) => index > 0),
  );
  try {
    return { writes: await flows.links.attach(interfaces), problems: [] };
  } catch (error) {
    return { writes: 0, problems: [problem(error as Error)] };
  }
}

/** Slivers on the node's network, or with raw sockets, must not run without it; others lose what is told here. */
function unguarded({ slivers }: Desired, why: string): EnforcerReport {
  const message = `ports, source addresses and raw sockets are not guarded on this node: ${why}`;
  const problems: Problem[] = [{ reason: 'NotGuarded', message }];
  for (const sliver of slivers) {
    if (!isOnNode(sliver)) continue;
    const text = `it is on the node's network, and this node can't keep it to what is its own: ${why}`;
    problems.push({ sliver: sliver.id, reason: 'HostNotGuarded', message: text });
  }
  return { writes: 0, problems };
}

/** Packets of raw sockets are judged where the socket was made: in the node manager's own pod. */
function rawUnguarded({ slivers }: Desired): Problem[] {
  const message = 'the node manager runs in no pod of this kubelet: raw sockets that it made would not be guarded';
  return slivers
    .filter(({ amounts }) => amounts.privileges.includes('RawSockets'))
    .map(({ id }) => ({ sliver: id, reason: 'RawNotGuarded', message }));
}

function pair<K, V>(key: K, value: V | undefined): [K, V][] {
  return value === undefined ? [] : [[key, value]];
}
