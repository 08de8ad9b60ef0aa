/** Every condition type and reason of the API, and how a condition is set. */
import { cutShort } from './text.ts';

/** As `metav1.Condition`. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  /** RFC 3339; when `status` last changed, not when the message did. */
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** Conditions of a Slice, written by the operator. */
export const SliceCondition = {
  /** Every wanted sliver runs, is up to date and is enforced by its node. */
  Ready: 'Ready',
  /** The spec is one that the operator can act on. */
  Accepted: 'Accepted',
  /** Every wanted node granted its rcap. */
  Allocated: 'Allocated',
} as const;

/** Conditions of a Slice that its broker writes. */
export const BrokerCondition = {
  /** The queue broker's: the slice waits for its window. */
  Queued: 'Queued',
} as const;

/** Conditions of a ResourceCapability, written by its node's manager alone. */
export const CapabilityCondition = {
  Ready: 'Ready',
  Granted: 'Granted',
  Bound: 'Bound',
  Enforced: 'Enforced',
  /** It has sent less of its bytes for the day than the threshold; False: it is slowed. Absent without such a budget. */
  WithinBudget: 'WithinBudget',
} as const;

/** Conditions of a SliceNode, written by its node's manager alone. */
export const NodeCondition = {
  Ready: 'Ready',
  /** The rate of every line is known, so guarantees hold against the node's own traffic too. */
  LineKnown: 'LineKnown',
  /** What is granted fits in what the owner offers today. */
  WithinOffer: 'WithinOffer',
} as const;

/** Condition of a SliceNodePolicy, written by the operator. */
export const PolicyCondition = {
  /** Every node that it is about is told it. */
  Ready: 'Ready',
} as const;

/** Condition of a Watchdog, written by the operator. */
export const WatchdogCondition = {
  /** It reads what it is to read, and may do what it is to do. */
  Ready: 'Ready',
} as const;

/** Conditions of a Sensor, written by the operator from what the nodes say. */
export const SensorCondition = {
  /** A node serves it, and on no node did its last reading fail. */
  Ready: 'Ready',
} as const;

export const SliceReason = {
  Accepted: 'Accepted',
  InvalidSpec: 'InvalidSpec',
  WindowPast: 'WindowPast',
  HostNetworkNotAllowed: 'HostNetworkNotAllowed',
  NameTaken: 'NameTaken',
  Deleting: 'Deleting',
  AllGranted: 'AllGranted',
  WaitingForNodes: 'WaitingForNodes',
  WaitingForBroker: 'WaitingForBroker',
  Denied: 'Denied',
  InsufficientSiteShares: 'InsufficientSiteShares',
  OverridesConflict: 'OverridesConflict',
  TooFewNodes: 'TooFewNodes',
  NoNodes: 'NoNodes',
  WindowNotOpen: 'WindowNotOpen',
  WindowClosed: 'WindowClosed',
  Suspended: 'Suspended',
  GivenAway: 'GivenAway',
  Blackout: 'Blackout',
  Starting: 'Starting',
  Updating: 'Updating',
  PodsFailing: 'PodsFailing',
  NodeLost: 'NodeLost',
  AllRunning: 'AllRunning',
} as const;

/** Reasons of the condition Queued. */
export const QueueReason = {
  Waiting: 'Waiting',
  Opening: 'Opening',
  Open: 'Open',
  Over: 'Over',
  Refused: 'Refused',
  InvalidSpec: 'InvalidSpec',
  TooFewNodes: 'TooFewNodes',
  QueueFull: 'QueueFull',
  Suspended: 'Suspended',
} as const;

export const CapabilityReason = {
  Granted: 'Granted',
  ResizeDenied: 'ResizeDenied',
  InsufficientShares: 'InsufficientShares',
  InsufficientEgress: 'InsufficientEgress',
  InsufficientMemory: 'InsufficientMemory',
  InsufficientDisk: 'InsufficientDisk',
  InsufficientPods: 'InsufficientPods',
  PortInUse: 'PortInUse',
  PortNotOffered: 'PortNotOffered',
  PrivilegeNotOffered: 'PrivilegeNotOffered',
  HostNetworkNotOffered: 'HostNetworkNotOffered',
  NamespaceBudget: 'NamespaceBudget',
  NamespaceRefused: 'NamespaceRefused',
  NoParent: 'NoParent',
  OutsideParent: 'OutsideParent',
  GivenAway: 'GivenAway',
  WindowPast: 'WindowPast',
  Blackout: 'Blackout',
  InvalidSpec: 'InvalidSpec',
  WrongNode: 'WrongNode',
  NotRedeemable: 'NotRedeemable',
  Transferred: 'Transferred',
  Evicted: 'Evicted',
  Expired: 'Expired',
  WindowNotOpen: 'WindowNotOpen',
  Suspended: 'Suspended',
  Bound: 'Bound',
  NotBound: 'NotBound',
  NoPod: 'NoPod',
  Enforced: 'Enforced',
  EnforcementFailed: 'EnforcementFailed',
  LineUnknown: 'LineUnknown',
  UplinkBusy: 'UplinkBusy',
  EgressUnclassified: 'EgressUnclassified',
  NoAddress: 'NoAddress',
  NotGranted: 'NotGranted',
  WithinBudget: 'WithinBudget',
  BudgetLow: 'BudgetLow',
  BudgetSpent: 'BudgetSpent',
} as const;

/**
 * Reasons of the operator's Events about a ResourceCapability that waits for something that no node can tell of: the operator
 * writes it no conditions, as whoever may could also write that it is granted.
 */
export const CapabilityEvent = {
  UnknownNode: 'UnknownNode',
  NoNodeLabel: 'NoNodeLabel',
  NodeLost: 'NodeLost',
  TransfersNotAllowed: 'TransfersNotAllowed',
  NameTaken: 'NameTaken',
} as const;

export const NodeReason = {
  Ready: 'Ready',
  NotReady: 'NotReady',
  WaitingForNode: 'WaitingForNode',
  EnforcementFailed: 'EnforcementFailed',
  PolicyInvalid: 'PolicyInvalid',
  LinesKnown: 'LinesKnown',
  LineUnknown: 'LineUnknown',
  UplinkBusy: 'UplinkBusy',
  WithinOffer: 'WithinOffer',
  Overcommitted: 'Overcommitted',
} as const;

export const PolicyReason = {
  InForce: 'InForce',
  LeftOut: 'LeftOut',
  NoNodes: 'NoNodes',
  InvalidSpec: 'InvalidSpec',
} as const;

export const WatchdogReason = {
  Watching: 'Watching',
  Partial: 'Partial',
  NoReadings: 'NoReadings',
  TooMany: 'TooMany',
  NotAllowed: 'NotAllowed',
  InvalidSpec: 'InvalidSpec',
} as const;

/** The last three are of the condition alone; the others also of single readings. */
export const SensorReason = {
  InvalidSpec: 'InvalidSpec',
  FileNotAllowed: 'FileNotAllowed',
  PortNotOwned: 'PortNotOwned',
  NoAgent: 'NoAgent',
  Died: 'Died',
  TimedOut: 'TimedOut',
  TooLarge: 'TooLarge',
  NotText: 'NotText',
  NotParsed: 'NotParsed',
  Unreachable: 'Unreachable',
  TooMany: 'TooMany',
  Served: 'Served',
  Failing: 'Failing',
  NoNodes: 'NoNodes',
} as const;

export function getCondition(list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find((condition) => condition.type === type);
}

export function isTrue(list: readonly Condition[] | undefined, type: string): boolean {
  return getCondition(list, type)?.status === 'True';
}

/** Messages are for people and go to a bounded field. */
const MAX_MESSAGE = 1024;

/**
 * A new list with this condition set in its place; `lastTransitionTime` is kept while the status stays the same, so that
 * an unchanged condition compares equal and is not written again.
 */
export function setCondition(
  list: readonly Condition[] | undefined,
  condition: Omit<Condition, 'lastTransitionTime'>,
  now: Date,
): Condition[] {
  const before = getCondition(list, condition.type);
  const lastTransitionTime =
    before?.status === condition.status ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, 'Z');
  // a 1.20 server refuses the server-side apply of a condition with an empty message
  const text = condition.message || condition.reason;
  const message = cutShort(text, MAX_MESSAGE);
  const next: Condition = { ...condition, message, lastTransitionTime };
  if (!before) return [...(list ?? []), next];
  return list!.map((one) => (one.type === condition.type ? next : one));
}
