/**
 * What pods requested, read back from the weights that the kubelet gave them: the node manager has no right to read
 * pods, and needs none. cgroup v2 loses precision in the conversion, so a weight stands for a range of requests.
 */

/** The two ways in which runtimes turn v1 shares into v2 weights: until and from runc 1.3.2 and Kubernetes 1.35. */
export type Conversion = 'linear' | 'quadratic';

/** A range of requests in 1/1000 of a core. */
export interface Range {
  low: number;
  high: number;
}

const MIN_SHARES = 2;
const MAX_SHARES = 262_144;

/** The kubelet's v1 `cpu.shares` for a request in 1/1000 of a core. */
export function sharesOfRequest(milli: number): number {
  return Math.min(Math.max(Math.floor((milli * 1024) / 1000), MIN_SHARES), MAX_SHARES);
}

/** v2 `cpu.weight` for v1 `cpu.shares`. */
export function weightOfShares(shares: number, conversion: Conversion): number {
  if (shares <= MIN_SHARES) return 1;
  if (shares >= MAX_SHARES) return 10_000;
  if (conversion === 'linear') return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** Which conversion made this weight of a request that is known: that of `kubepods`, whose request is the node's. */
export function detectConversion(kubepodsWeight: number, allocatableMilli: number): Conversion {
  const shares = sharesOfRequest(allocatableMilli);
  const distance = (conversion: Conversion): number =>
    Math.abs(Math.log(kubepodsWeight / weightOfShares(shares, conversion)));
  return distance('quadratic') < distance('linear') ? 'quadratic' : 'linear';
}

/** Every request, in 1/1000 of a core, whose pod the kubelet would give this weight. */
export function requestsOfWeight(weight: number, conversion: Conversion): Range {
  const lowest = firstShares((shares) => weightOfShares(shares, conversion) >= weight);
  const highest = firstShares((shares) => weightOfShares(shares, conversion) > weight) - 1;
  // A pod that requests nothing has the smallest weight, so the smallest weight may mean nothing.
  const low = lowest <= MIN_SHARES ? 0 : Math.ceil((lowest * 1000) / 1024);
  return { low, high: Math.max(low, Math.ceil(((highest + 1) * 1000) / 1024) - 1) };
}

/**
 * One request out of each range, so that together they come to `total`: all lie equally far into their ranges. The
 * parent's weight says the total, and with it a single pod's request is known well although its own weight is coarse.
 */
export function settleRequests(ranges: readonly Range[], total: number): number[] {
  const low = ranges.reduce((sum, range) => sum + range.low, 0);
  const width = ranges.reduce((sum, range) => sum + range.high - range.low, 0);
  const part = width === 0 ? 0 : Math.min(Math.max((total - low) / width, 0), 1);
  return ranges.map((range) => range.low + part * (range.high - range.low));
}

/** The smallest number of shares for which a monotone condition holds, or one above the largest. */
function firstShares(condition: (shares: number) => boolean): number {
  let low = MIN_SHARES;
  let high = MAX_SHARES + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (condition(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
