/** The desired state of a node: what the ledger says, as every enforcer reads it. */
import type { Amounts } from '../crds/rspec.ts';
import type { RspecPort } from '../crds/types.ts';

/** What an entitled sliver gets at least, in bits/s: no smaller guarantee keeps a connection alive, so none is booked. */
export const LEAST_EGRESS = 1_000;

/**
 * What a sliver's pod is entitled to at this instant. Losing a right is never a promotion: `penalised` gets the penalty
 * class and the lowest weight, `frozen` runs nothing at all.
 */
export type Standing = 'entitled' | 'penalised' | 'frozen';

/** One sliver pod on this node. Exactly one entry for each pod whose volume this manager published. */
export interface Sliver {
  /** The pod's uid. */
  id: string;
  rcap: { namespace: string; name: string; uid: string };
  slice: string | undefined;
  standing: Standing;
  /** 'Pod': an address of its own. 'Host': the node's, and then it has no `addresses`. */
  network: 'Pod' | 'Host';
  /** As granted; of a penalised sliver, what it last held. */
  amounts: Amounts;
  /** HTB minor of the sliver's class: allocated, checkpointed, and given to nobody else while the sliver exists. */
  classId: number;
  /** Names the sliver in the kernel: a u32 that this node gives to no other sliver, ever; 0 is the node itself. */
  number: number;
  /** The pod's addresses, IPv4 and IPv6; empty until they are known. */
  addresses: string[];
  /** The node's interfaces by which it gets what the pod sends, a bridge beside its port; nobody else's packets come by them with its addresses. */
  interfaces?: readonly string[];
  /** Its containers are still being made, in its own cgroup: so long it has what that takes, besides its shares. */
  starting?: boolean;
  /** What others hold it to, in bits/s, also below its guarantee; undefined where nobody does. */
  restraintLimit?: number;
  /** What its budgets of bytes leave it now, in bits/s; undefined where they do not bite. */
  budgetLimit?: number;
  /** The same, to exempt destinations. */
  exemptBudgetLimit?: number;
  /** Bytes that the pod's own interfaces have sent, where known: to notice traffic that misses the sliver's class. */
  txBytes?: number;
}

/** An uplink of the node, as the owner names it; `rate` in bits/s, undefined where the link's own is to be taken. */
export interface Line {
  interface: string;
  rate: number | undefined;
}

/** What the enforcers need to know of the node itself. */
export interface NodeFacts {
  nodeName: string;
  /** Allocatable CPU in 1/1000 of a core: 1000 shares of it are the node. */
  cpuMilli: number;
  /** Allocatable memory in bytes. */
  memory: number;
  /** Lines that the owner names; empty: the interfaces of the default routes. */
  lines: Line[];
  /** What all slivers together may send, in bits/s. */
  egressLimit: number;
  /** Addresses and prefixes that `egressLimit` does not count, and what all slivers together may send there, in bits/s. */
  exempt: { destinations: string[]; limit: number | undefined };
  /** What becomes of sliver packets that leave by another interface than a line. */
  otherInterfaces: 'Count' | 'Drop';
  /** ICMP echo requests, and packets with IP options, that each sliver may send in a second. */
  echoRate: number;
  optionRate: number;
}

export interface Desired {
  slivers: Sliver[];
  /** Every port that is granted, also those of rights that have no pod yet or begin later: kept from everybody else. */
  ports: RspecPort[];
  facts: NodeFacts;
}

/** Something that an enforcer could not keep; `sliver` is a pod uid, absent where it concerns the whole node. */
export interface Problem {
  sliver?: string;
  /** One word for programs, such as `UplinkBusy`. */
  reason: string;
  message: string;
}

export interface EnforcerReport {
  /** Writes to the kernel in this pass: 0 where everything already was as it should be. */
  writes: number;
  problems: Problem[];
}

/**
 * Keeps one kind of promise in the kernel: observe, plan purely, apply the difference. Idempotent; may be killed at any
 * instant; touches only what carries our mark or belongs to a sliver.
 */
export interface Enforcer {
  readonly name: string;
  enforce(desired: Desired, signal: AbortSignal): Promise<EnforcerReport>;
  /** Puts everything back as it was found: when the node manager is uninstalled. */
  release(): Promise<void>;
}
