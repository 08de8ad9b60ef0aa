/** What other pods requested, from the weights that the kubelet gave them: it was promised before any sliver's shares. */
import { findPods, openTree, type TreeOptions } from '../cpu/cgroups.ts';
import { observeCpu } from '../cpu/kernel.ts';
import { OriginalsFile } from '../cpu/originals.ts';
import { detectConversion, requestsOfWeight } from '../cpu/requests.ts';
import { isRunning } from '../processes.ts';

/** v1 `cpu.shares` of a pod that requests nothing. */
const MIN_SHARES = 2;

/**
 * CPU that pods other than slivers requested, in 1/1000 of a core, never too little. A pod without processes is left
 * out: before its volumes are there it may be a sliver's own, whose shares are in the ledger already. Throws CgroupError
 * where the kubelet has no pods here yet.
 */
export function readOtherRequests(
  slivers: ReadonlySet<string>,
  cpuMilli: number,
  originalsFile: string,
  options: TreeOptions = {},
): number {
  const tree = openTree(options);
  const { observed } = observeCpu(tree);
  const originals = new OriginalsFile(originalsFile).get();
  const paths = findPods(tree);
  const conversion = detectConversion(observed.kubepodsWeight, cpuMilli);
  return observed.pods
    .filter(({ uid, parent }) => {
      const path = paths.get(uid)?.path;
      return !slivers.has(uid) && parent !== 'besteffort' && path && isRunning(tree.directory('cpu', path)!);
    })
    .reduce((sum, { uid, weight }) => {
      const original = originals[uid]?.weight ?? weight;
      if (observed.version === 1) return sum + (original <= MIN_SHARES ? 0 : Math.ceil((original * 1000) / 1024));
      // The smallest weight is that of a pod which requests nothing: most do.
      const { low, high } = requestsOfWeight(original, conversion);
      return sum + (low === 0 ? 0 : high);
    }, 0);
}
