/** What helps, by the reason of a condition: a sentence, or '' where there is nothing to do or its message has it already. */
import type { CapabilityReason, QueueReason, SliceReason } from '../../crds/conditions.ts';

export const SLICE_ADVICE: Readonly<Record<keyof typeof SliceReason, string>> = {
  Accepted: '',
  InvalidSpec: 'Correct the field that is named, and apply it again.',
  WindowPast: '',
  HostNetworkNotAllowed: '',
  NameTaken: '',
  Deleting: 'What it waits for goes by itself; a pod on a node that is out of reach goes when its Node is deleted.',
  AllGranted: '',
  WaitingForNodes: '',
  // what is known of the broker says more: adviseBroker
  WaitingForBroker: '',
  Denied: '',
  InsufficientSiteShares:
    "Ask for fewer shares or nodes, for another window, release other slices of the site, or ask the cluster's owner for a larger pool.",
  OverridesConflict: 'Give egress.guarantee and egress.limit in one override.',
  TooFewNodes: '',
  NoNodes: 'Widen spec.placement (kubectl get nodes --show-labels), or see what keeps its nodes (kubectl get sln).',
  WindowNotOpen: '',
  WindowClosed: 'Set a later spec.window.end of the rcap, or release it and bind another.',
  Suspended: '',
  GivenAway: '',
  Blackout: '',
  Starting: 'If it stays so, look at the pods, which have the names of their rcaps: kubectl describe pod.',
  Updating: 'Raise spec.update.maxUnavailable to have more of them replaced at a time.',
  PodsFailing: 'Look at the pods, which have the names of their rcaps: kubectl describe pod, kubectl logs.',
  NodeLost: 'Its sliver comes back with the node; to give that up, delete its rcap.',
  AllRunning: '',
};

/** Of what the queue says in the condition Queued. */
export const QUEUE_ADVICE: Readonly<Record<keyof typeof QueueReason, string>> = {
  Waiting: '',
  Opening: '',
  Open: '',
  Over: '',
  Refused: 'The queue asks again by itself; ask for less, on other nodes or for another window to have one sooner.',
  InvalidSpec: 'Correct what it names: until then it gets no window.',
  TooFewNodes:
    'Lower spec.placement.count, widen the selector and tolerations of spec.placement, or name a topologyKey that nodes have.',
  QueueFull: 'It comes in when another one goes: delete slices that need no window.',
  Suspended: 'Only whoever runs the queue ends that: ask whom the message names.',
};

export const RIGHT_ADVICE: Readonly<Record<keyof typeof CapabilityReason, string>> = {
  Granted: '',
  ResizeDenied: 'The old grant holds: undo the edit, or ask for less.',
  InsufficientShares: 'Ask for fewer shares, for another window, or on other nodes.',
  InsufficientEgress: 'Ask for a lower egress guarantee, for another window, or on other nodes.',
  InsufficientMemory: 'Ask for less memory, for another window, or on other nodes.',
  InsufficientDisk: 'Ask for less disk, for another window, or on other nodes.',
  InsufficientPods: 'The node is full: ask on other nodes, or its owner to raise spec.pods.',
  PortInUse: 'Take another port, or end what has it.',
  PortNotOffered: "Take one of the node's spec.ports, or ask its owner.",
  PrivilegeNotOffered: 'Leave the privilege out, or ask the owner of the node.',
  HostNetworkNotOffered: 'Use network: Pod, or ask the owner of the node.',
  NamespaceBudget: "Release other rights of the namespace, or ask the node's owner for a larger budget.",
  NamespaceRefused: 'Ask the owner of the node, or go to other nodes.',
  NoParent: 'Name in spec.from a granted right of this namespace on this node (kubectl get rcap -o wide).',
  OutsideParent: 'Ask for no more than that right has, and for a window within its own.',
  GivenAway: 'Release what was split from it (kubectl get rcap), or renew it with more.',
  WindowPast: 'Set a later spec.window.end.',
  Blackout: 'Ask for a window that does not meet the blackout.',
  InvalidSpec: 'Correct the field that is named, and apply it again.',
  WrongNode:
    'Correct the label slice-operator.io/node where that is what is wrong (kubectl label --overwrite). Else delete it, and make one whose spec.nodeName and label name the same node: rights do not move.',
  NotRedeemable:
    'Ask whom you have the value from. The Secret comes first, of type slice-operator.io/capability and with the value of a right of this node that nobody has shown; then edit the rcap, or make it anew.',
  Transferred: 'It is over for good. A Slice asks for another by itself; delete what you made yourself.',
  Evicted: 'Ask for less, or on other nodes: the owner offers less than before.',
  Expired: 'Set a later spec.window.end.',
  WindowNotOpen: '',
  Suspended: 'Only whoever suspended it ends that: ask whom the message names.',
  Bound: '',
  NotBound: '',
  NoPod: '',
  Enforced: '',
  EnforcementFailed:
    "Its node manager tries again at every pass; that pod's log has more (kubectl get pods -A -o wide -l app.kubernetes.io/part-of=slice-operator).",
  LineUnknown: "Ask the node's owner to give the line's rate in spec.lines of the SliceNode.",
  UplinkBusy: "Ask the node's owner to remove the qdisc that others put on the line, or to name another in spec.lines.",
  EgressUnclassified:
    "Ask the node's owner to name the interface in spec.lines of the SliceNode, or to set otherInterfaces: Drop.",
  NoAddress: "The cluster's CNI must give the pod an address of its own: ask who runs the cluster.",
  NotGranted: 'The node has yet to decide. If it stays so, edit the rcap or make it anew.',
  WithinBudget: '',
  BudgetLow: 'Send less until the day (UTC) is over, or ask the owner for a larger bytesPerDay.',
  BudgetSpent: 'Wait until the day (UTC) is over, or ask the owner for a larger bytesPerDay.',
};

/** Of rights that are granted and give nothing now, where something else helps than with one that was refused so. */
export const HELD_ADVICE: Readonly<Record<string, string>> = {
  GivenAway:
    'Release what was split from it (kubectl get rcap -o custom-columns=NAME:.metadata.name,FROM:.spec.from), or renew it with more; the right of a Slice of its own by its spec.resources.',
  Blackout: 'It goes on by itself when that ends; what must run meanwhile needs other nodes.',
};

/** '' for reasons that are not known here: nodes may be newer than this. */
export function adviceOf(advice: Readonly<Record<string, string>>, reason: string | undefined): string {
  return reason !== undefined && Object.hasOwn(advice, reason) ? advice[reason]! : '';
}
