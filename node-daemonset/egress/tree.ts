/** Pure: the HTB tree that one uplink should have. */
import { LEAST_EGRESS, type NodeFacts, type Problem, type Sliver } from '../sliver.ts';
import { CLASS_EXEMPT, CLASS_LINE, CLASS_NODE, CLASS_SLIVERS, exemptClass } from './names.ts';
import type { Uplink } from './uplinks.ts';

/** The queue below a leaf class; rates in bits/s, limits in bytes. */
export type Leaf = { kind: 'tbf'; rate: number; limit: number } | { kind: 'bfifo'; limit: number };

/** One HTB class; rates in bits/s. */
export interface HtbClass {
  minor: number;
  /** 0: directly below the root qdisc. */
  parent: number;
  rate: number;
  ceil: number;
  /** Leaves only: bytes a turn when excess is shared out. */
  quantum: number | undefined;
  leaf: Leaf | undefined;
}

export interface LineTree {
  interface: string;
  /** Parents before children. */
  classes: HtbClass[];
}

/** What pods without a right may send. */
export const PENALTY_RATE = 64_000;
const SMALLEST_RATE = 8;
const EXEMPT_RATE = 8_000;
/** A line whose rate nobody knows: as good as none, so that only the owner's limit is kept. */
const UNKNOWN_LINE = 100e9;
const SLOWEST_LINE = 100_000;
const SEGMENTING_RATE = 10e9;
const QUANTUM = 3028;
const SMALLEST_QUANTUM = 1514;
const LARGEST_QUANTUM = 1024 * 1024;

/**
 * Rates of children never exceed those of their parents, for HTB would honour them beyond it: when owners lower a
 * limit below what they granted, guarantees shrink in proportion. `slivers` have distinct, valid class ids.
 */
export function planTree(
  uplink: Uplink,
  slivers: readonly Sliver[],
  facts: Pick<NodeFacts, 'egressLimit' | 'exempt'>,
): { tree: LineTree | undefined; problems: Problem[] } {
  const problems: Problem[] = [];
  const line = printable(uplink.rate ?? UNKNOWN_LINE);
  if (line < SLOWEST_LINE) {
    const message = `${uplink.interface} has ${line} bit/s, less than ${SLOWEST_LINE}: its egress is not shaped`;
    return { tree: undefined, problems: [{ reason: 'LineTooSlow', message }] };
  }
  const all = egressOfSlivers(uplink.rate, facts.egressLimit);
  const exemptRate = Math.max(EXEMPT_RATE, SMALLEST_RATE * slivers.length);
  const node = printable(line - all - exemptRate);
  const entitled = slivers.filter(({ standing }) => standing === 'entitled');
  const guaranteed = entitled.reduce((sum, sliver) => sum + guaranteeOf(sliver), 0);
  // Whoever lost a right gets of what the rights leave: it may have been granted anew.
  const without = slivers.length - entitled.length;
  const least = Math.min(Math.max(printable((all - guaranteed) / Math.max(without, 1)), SMALLEST_RATE), LEAST_EGRESS);
  const room = all - without * least;
  // The kernel takes no class below 8 bit/s: so much of each is set aside before the rest is cut.
  const factor = guaranteed <= room ? 1 : Math.max(room - SMALLEST_RATE * entitled.length, 0) / guaranteed;
  if (guaranteed > all) {
    const message = `slivers hold guarantees of ${guaranteed} bit/s and ${uplink.interface} gives ${all}: each gets ${Math.floor(factor * 100)} % of its guarantee`;
    problems.push({ reason: 'EgressOvercommitted', message });
  }
  const quantumOf = quanta(slivers);
  const leafOf = (minor: number, parent: number, rate: number, ceil: number, quantum: number): HtbClass => {
    return { minor, parent, rate, ceil, quantum, leaf: segmenting(ceil, line) };
  };
  const classes: HtbClass[] = [
    { minor: CLASS_LINE, parent: 0, rate: line, ceil: line, quantum: undefined, leaf: undefined },
    { minor: CLASS_SLIVERS, parent: CLASS_LINE, rate: all, ceil: all, quantum: undefined, leaf: undefined },
    { ...leafOf(CLASS_NODE, CLASS_LINE, node, line, QUANTUM), leaf: nodeLeaf(line) },
    ...exemptClasses(),
    ...slivers.map((sliver) => {
      const isEntitled = sliver.standing === 'entitled';
      const rate = isEntitled ? Math.max(printable(guaranteeOf(sliver) * factor), SMALLEST_RATE) : least;
      const limit = limitOf(sliver, sliver.budgetLimit);
      const ceil = Math.max(rate, Math.min(printable(limit), all));
      return leafOf(sliver.classId, CLASS_SLIVERS, rate, ceil, quantumOf(sliver));
    }),
  ];
  return { tree: { interface: uplink.interface, classes }, problems };

  /** Nothing is guaranteed there: what the line has left goes by the guarantees elsewhere. */
  function exemptClasses(): HtbClass[] {
    if (facts.exempt.destinations.length === 0) return [leafOf(CLASS_EXEMPT, CLASS_LINE, exemptRate, line, QUANTUM)];
    const most = Math.max(printable(Math.min(facts.exempt.limit ?? line, line)), exemptRate);
    const rate = Math.max(printable(exemptRate / Math.max(slivers.length, 1)), SMALLEST_RATE);
    return [
      { minor: CLASS_EXEMPT, parent: CLASS_LINE, rate: exemptRate, ceil: most, quantum: undefined, leaf: undefined },
      ...slivers.map((sliver) => {
        const ceil = Math.max(rate, Math.min(printable(limitOf(sliver, sliver.exemptBudgetLimit)), most));
        return leafOf(exemptClass(sliver.classId), CLASS_EXEMPT, rate, ceil, quantumOf(sliver));
      }),
    ];
  }
}

/**
 * The largest rate not above this one that tc prints without loss (4 to 6 digits, whole bytes): what the kernel has can
 * then be compared with what it should have.
 */
export function printable(rate: number): number {
  const whole = Math.max(Math.floor(rate / 8) * 8, 0);
  for (const unit of [1e12, 1e9, 1e6, 1e3]) {
    if (whole >= unit * 1000) return Math.floor(whole / unit) * unit;
  }
  return whole;
}

/**
 * What a line of this rate gives all slivers together, in bits/s. The node keeps a hundredth of it in any case, or an
 * owner's limit as large as the line would silence it.
 */
export function egressOfSlivers(rate: number | undefined, egressLimit: number): number {
  const line = printable(rate ?? UNKNOWN_LINE);
  if (line < SLOWEST_LINE) return 0;
  const reserve = Math.max(line / 100, EXEMPT_RATE) + EXEMPT_RATE;
  return Math.max(printable(Math.min(egressLimit, line - reserve)), LEAST_EGRESS);
}

/** What a sliver may send in its own class now, in bits/s: less than it was granted while others or its budget hold it to less. */
export function heldEgress(sliver: Sliver): { guarantee: number; limit: number } {
  const limit = limitOf(sliver, sliver.budgetLimit);
  return { limit, guarantee: Math.min(guaranteeOf(sliver), limit) };
}

/** A sliver's own limit holds in each of its classes; a budget lowers it, and so does what others hold it to. */
function limitOf({ standing, amounts, restraintLimit = Infinity }: Sliver, budgetLimit = Infinity): number {
  return Math.min(standing === 'entitled' ? amounts.egressLimit : PENALTY_RATE, budgetLimit, restraintLimit);
}

/** No budget takes it; what others hold the sliver to does. */
function guaranteeOf({ amounts, restraintLimit = Infinity }: Sliver): number {
  return Math.max(Math.min(amounts.egressGuarantee, amounts.egressLimit, restraintLimit), LEAST_EGRESS);
}

/**
 * Excess goes by quantum, in proportion to the guarantees, from two packets up: within 1:346 exactly. Beyond it the
 * smallest get more than their part, so that the proportion holds among the large.
 */
function quanta(slivers: readonly Sliver[]): (sliver: Sliver) => number {
  const guarantees = slivers.filter((sliver) => sliver.standing === 'entitled').map(guaranteeOf);
  const smallest = guarantees.reduce((a, b) => Math.min(a, b), Infinity);
  const largest = guarantees.reduce((a, b) => Math.max(a, b), 0);
  const perBit = Math.min(QUANTUM / smallest, LARGEST_QUANTUM / largest);
  return (sliver) => {
    if (sliver.standing !== 'entitled') return SMALLEST_QUANTUM;
    return Math.max(Math.round(guaranteeOf(sliver) * perBit), SMALLEST_QUANTUM);
  };
}

/**
 * A token bucket that never throttles, but cuts every GSO packet into segments as it enters the queue: HTB serves one
 * buffer a turn whatever its size, so that without it a sliver with UDP GSO would take 81 % where 50 are due. The queue
 * holds 100 ms of what the class may send at most.
 */
function segmenting(ceil: number, line: number): Leaf {
  return { kind: 'tbf', rate: Math.max(SEGMENTING_RATE, line * 10), limit: queueLimit(ceil) };
}

/** On fast lines the node's own packets stay whole: cutting them would cost it CPU and serve no sliver. */
function nodeLeaf(line: number): Leaf {
  return line > 1e9 ? { kind: 'bfifo', limit: queueLimit(line) } : segmenting(line, line);
}

function queueLimit(ceil: number): number {
  return Math.min(Math.max(Math.round(ceil / 80), 16_000), 1_000_000);
}
