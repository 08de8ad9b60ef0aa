/* Generated from crds/*.yaml by crds/generate.ts; edit those. */
import type {ObjectMeta} from './meta.ts';

/**
 * The kinds of the API.
 */
export interface Contract {
  slice?: Slice;
  resourcecapability?: ResourceCapability;
  slicenode?: SliceNode;
  slicenodepolicy?: SliceNodePolicy;
  restraint?: Restraint;
  watchdog?: Watchdog;
  sensor?: Sensor;
}
/**
 * A Slice is a set of nodes on which a service gets a guaranteed part of each node: CPU, egress bandwidth, ports, memory, processes and disk. Its namespace is the site or project that it belongs to.
 */
export interface Slice {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  spec: SliceSpec;
  status?: SliceStatus;
}
/**
 * What is wanted. At most 256 KiB as JSON.
 */
export interface SliceSpec {
  /**
   * Who answers for the slice's traffic, for example a mail address. It is shown to those who receive it.
   */
  contact: string;
  /**
   * What the slice is for.
   */
  description?: string;
  /**
   * True: the slice keeps its rights and loses its pods until it is resumed. Default false.
   */
  suspended?: boolean;
  /**
   * The namespace of the broker that acquires rights for this slice and binds them to it; the operator then acquires none, and gives back those that it had. Without it the operator's default broker does.
   */
  broker?: string;
  placement?: Placement;
  resources?: Rspec;
  /**
   * The short form of resources: so many 1/1000 of each node. It means that many CPU shares, and an egress guarantee of 100 kbit/s for each. status.resources shows it in full.
   */
  share?: number;
  /**
   * What is different on some nodes. A field that an override gives takes the place of the slice's, lists as a whole; what it leaves out stays. An override for one node goes over those for groups of nodes; of two of a kind the later one counts.
   */
  overrides?: Override[];
  window?: Window;
  sliver: SliverTemplate;
  update?: UpdateStrategy;
}
/**
 * Which nodes. Without it, every node.
 */
export interface Placement {
  /**
   * Labels that a node must have.
   */
  nodeSelector?: {
    [k: string]: string;
  };
  /**
   * Taints of nodes that do not keep the slice away, as in a pod.
   */
  tolerations?: Toleration[];
  /**
   * How many nodes. Without it, every matching node.
   */
  count?: number;
  /**
   * How to choose among the matching nodes: Any (default), Spread (as evenly as can be over the values of topologyKey) or Cluster (in as few of them as can be).
   */
  policy?: 'Any' | 'Spread' | 'Cluster';
  /**
   * The node label that Spread and Cluster go by.
   */
  topologyKey?: string;
}
export interface Toleration {
  /**
   * The taint's key; without it every key.
   */
  key?: string;
  /**
   * Exists or Equal (default).
   */
  operator?: 'Exists' | 'Equal';
  /**
   * The taint's value.
   */
  value?: string;
  /**
   * The taint's effect; without it every effect.
   */
  effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}
/**
 * What one sliver gets on its node. Everything has a default: 1 share of CPU, an egress guarantee of 5 kbit/s and an egress limit of 10 Mbit/s.
 */
export interface Rspec {
  cpu?: RspecCpu;
  egress?: RspecEgress;
  /**
   * The most memory the sliver can use, in bytes; reserved for it. Without it there is no limit and no promise.
   */
  memory?: string | number;
  /**
   * The most that the sliver can write to its file system and logs, in bytes; reserved for it. The kubelet measures now and then and evicts a sliver that is over; writes do not fail with ENOSPC.
   */
  disk?: string | number;
  /**
   * The most processes and threads at a time.
   */
  processes?: number;
  /**
   * The most open file descriptors of each of the sliver's processes.
   */
  openFiles?: number;
  /**
   * Ports of the node's address that belong to the slice alone.
   */
  ports?: RspecPort[];
  /**
   * Whose address the sliver uses: its own (Pod, default), to which its ports are forwarded, or the node's (Host), where it binds its ports and no others. The node's owner must offer Host.
   */
  network?: 'Pod' | 'Host';
  /**
   * RawSockets: raw sockets on owned ports, without a Linux capability. Capabilities: acquire and split rights on the own node. Audit: see all outgoing packets of the node.
   */
  privileges?: ('RawSockets' | 'Capabilities' | 'Audit')[];
}
/**
 * The guaranteed part of the node's CPU, and what becomes of CPU that nobody uses.
 */
export interface RspecCpu {
  /**
   * Guaranteed CPU in 1/1000 of what the node can allocate. Default 1.
   */
  shares?: number;
  /**
   * Share (default) lets the sliver use idle CPU, in proportion to its shares; None holds it at its guarantee.
   */
  excess?: 'Share' | 'None';
}
/**
 * Bandwidth out of the node, counted at layer 2.
 */
export interface RspecEgress {
  /**
   * What the sliver can always send, in bits/s. Default 5k.
   */
  guarantee?: string | number;
  /**
   * What the sliver never exceeds, in bits/s. Default 10M, or the guarantee where that is more.
   */
  limit?: string | number;
}
export interface RspecPort {
  /**
   * TCP, UDP or ICMP.
   */
  protocol: 'TCP' | 'UDP' | 'ICMP';
  /**
   * The port; for ICMP the identifier of echo requests.
   */
  port: number;
}
export interface Override {
  /**
   * By it the statuses of the slice and its rights say that the override applies.
   */
  name: string;
  /**
   * The node whose sliver it is about.
   */
  node?: string;
  /**
   * The group of nodes that it is about, by labels that a node must have.
   */
  nodeSelector?: {
    [k: string]: string;
  };
  resources: Rspec;
}
/**
 * When the right holds. Without a start it holds at once, without an end until it is released.
 */
export interface Window {
  /**
   * The first instant, RFC 3339.
   */
  start?: string;
  /**
   * The first instant after it, RFC 3339.
   */
  end?: string;
}
/**
 * What runs on each node, in one container.
 */
export interface SliverTemplate {
  /**
   * The container image.
   */
  image: string;
  /**
   * When to pull the image, as in a pod.
   */
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  /**
   * Secrets of the namespace to pull the image with.
   */
  imagePullSecrets?: SecretReference[];
  /**
   * The program to run in place of the image's, as in a pod.
   */
  command?: string[];
  /**
   * The program's arguments, as in a pod.
   */
  args?: string[];
  /**
   * Environment variables.
   */
  env?: EnvVar[];
  /**
   * The directory that the program starts in.
   */
  workingDir?: string;
  /**
   * A script that the image's /bin/sh runs in place of its program. UTF-8, at most 64 KiB, without NUL.
   */
  bootScript?: string;
  /**
   * Pod (default) gives each sliver an address of its own; Host lets it use the node's, where the namespace has the label slice-operator.io/host-network=allowed and the node's owner offers it.
   */
  network?: 'Pod' | 'Host';
  /**
   * The RuntimeClass, as in a pod.
   */
  runtimeClassName?: string;
  /**
   * Seconds between SIGTERM and SIGKILL. Default 30.
   */
  terminationGracePeriodSeconds?: number;
  /**
   * Volumes, each of one kind.
   */
  volumes?: SliverVolume[];
  /**
   * Where the volumes are mounted.
   */
  volumeMounts?: VolumeMount[];
}
export interface SecretReference {
  /**
   * Name of the Secret.
   */
  name: string;
}
export interface EnvVar {
  /**
   * The name.
   */
  name: string;
  /**
   * The value, as it is.
   */
  value?: string;
  valueFrom?: EnvVarSource;
}
/**
 * Where the value comes from, in place of value.
 */
export interface EnvVarSource {
  configMapKeyRef?: KeyReference;
  secretKeyRef?: KeyReference;
}
/**
 * A key of an object of the namespace.
 */
export interface KeyReference {
  /**
   * Name of the object.
   */
  name: string;
  /**
   * The key.
   */
  key: string;
  /**
   * True: it need not be there.
   */
  optional?: boolean;
}
export interface SliverVolume {
  /**
   * The name that mounts refer to.
   */
  name: string;
  emptyDir?: EmptyDirVolume;
  configMap?: ConfigMapVolume;
  secret?: SecretVolume;
}
/**
 * An empty directory that lives as long as the pod.
 */
export interface EmptyDirVolume {
  /**
   * Memory makes it a tmpfs.
   */
  medium?: '' | 'Memory';
  /**
   * The most it may hold, in bytes.
   */
  sizeLimit?: string | number;
}
/**
 * The files of a ConfigMap of the namespace.
 */
export interface ConfigMapVolume {
  /**
   * Name of the ConfigMap.
   */
  name: string;
  /**
   * Mode of its files.
   */
  defaultMode?: number;
  /**
   * True: it need not be there.
   */
  optional?: boolean;
}
/**
 * The files of a Secret of the namespace.
 */
export interface SecretVolume {
  /**
   * Name of the Secret.
   */
  secretName: string;
  /**
   * Mode of its files.
   */
  defaultMode?: number;
  /**
   * True: it need not be there.
   */
  optional?: boolean;
}
export interface VolumeMount {
  /**
   * Name of the volume.
   */
  name: string;
  /**
   * Absolute path in the sliver.
   */
  mountPath: string;
  /**
   * A path in the volume instead of its root.
   */
  subPath?: string;
  /**
   * True: the sliver can not write to it.
   */
  readOnly?: boolean;
}
/**
 * How slivers are replaced when the sliver template changes.
 */
export interface UpdateStrategy {
  /**
   * How many slivers, or what percentage of them, may be down at a time. Default 1.
   */
  maxUnavailable?: string | number;
}
/**
 * What has become of it, written by the operator.
 */
export interface SliceStatus {
  /**
   * The generation of the spec that this status speaks of.
   */
  observedGeneration?: number;
  nodes?: SliceNodeCounts;
  resources?: Rspec;
  /**
   * On how many of the slice's nodes each override applies.
   */
  overrides?: AppliedOverride[];
  /**
   * The first few refusals; every one is in its ResourceCapability.
   */
  denials?: Denial[];
  /**
   * What others hold the slice to, by Restraints that its author can't take away; those that suspend it first. The first few.
   */
  restraints?: AppliedRestraint[];
  /**
   * The rights by whose holders slivers are suspended, which the Slice's author can't undo: of what a sliver's right is part of, or the right itself. The first few.
   */
  suspendedBy?: SliverSuspension[];
  /**
   * Ready (every sliver runs, is up to date and enforced), Accepted, Allocated; the reason of each is one that a person can act on.
   */
  conditions?: Condition[];
}
/**
 * The slice's nodes, counted.
 */
export interface SliceNodeCounts {
  /**
   * Nodes that the placement asks for.
   */
  wanted?: number;
  /**
   * Nodes that granted the right.
   */
  granted?: number;
  /**
   * Nodes that refused it, or its last change.
   */
  denied?: number;
  /**
   * Slivers that run and are enforced.
   */
  running?: number;
  /**
   * Slivers of the present template.
   */
  upToDate?: number;
}
export interface AppliedOverride {
  /**
   * The override.
   */
  name: string;
  /**
   * Slivers that it is about, whether or not it is granted.
   */
  slivers: number;
}
export interface Denial {
  /**
   * The node.
   */
  node: string;
  /**
   * Why, in one word for programs.
   */
  reason: string;
  /**
   * Why, for people.
   */
  message: string;
}
export interface AppliedRestraint {
  /**
   * The Restraint.
   */
  name: string;
  /**
   * It suspends the slice.
   */
  suspended?: boolean;
  /**
   * The most that each sliver sends by it, in bits/s.
   */
  egressLimit?: string;
  /**
   * Why, in the words of whoever made it.
   */
  reason: string;
  /**
   * Whom to ask.
   */
  contact?: string;
}
export interface SliverSuspension {
  /**
   * Where the sliver is.
   */
  node: string;
  /**
   * The right, as <namespace>/<name>.
   */
  right: string;
  /**
   * Why, in the words of its holder.
   */
  reason: string;
  /**
   * Whom to ask.
   */
  contact?: string;
}
export interface Condition {
  /**
   * What it is about.
   */
  type: string;
  /**
   * Whether it is so.
   */
  status: 'True' | 'False' | 'Unknown';
  /**
   * Why, in one word for programs.
   */
  reason: string;
  /**
   * Why, for people.
   */
  message: string;
  /**
   * When the status last changed.
   */
  lastTransitionTime: string;
  /**
   * The generation of the spec it speaks of.
   */
  observedGeneration?: number;
}
/**
 * A ResourceCapability (rcap) is the right to resources on one node. Creating it asks for the right; the node's own manager grants or refuses it; deleting it gives the right back.
 */
export interface ResourceCapability {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  spec: ResourceCapabilitySpec;
  status?: ResourceCapabilityStatus;
}
/**
 * What is asked for. Editing it after the grant asks anew; until that is granted the old grant holds.
 */
export interface ResourceCapabilitySpec {
  /**
   * The node whose resources are asked for. The label slice-operator.io/node must say the same (for names of more than 63 characters, what the operator writes): by it the node finds the right, and without it nobody answers. A right can't move to another node; delete it and ask there.
   */
  nodeName: string;
  resources?: Rspec;
  window?: Window;
  /**
   * Who answers for the traffic, for example a mail address. It is shown to those who receive it.
   */
  contact: string;
  /**
   * The Slice, in the same namespace, that the right is bound to. It can be set once, and neither changed nor taken out.
   */
  sliceName?: string;
  /**
   * The right, in the same namespace and on the same node, that this one is split from. What it takes is taken from there and not from the node again (but for its pod), so it must fit in there at every instant. Releasing it gives that back. It can't be changed once it was granted.
   */
  from?: string;
  /**
   * The Secret of type slice-operator.io/capability, in the same namespace, whose value's right is taken over, as it is; resources and window may be left out. The right must be one of the same node.
   */
  redeem?: string;
  /**
   * The Secret, in the same namespace, that the operator makes with the right's value, 128 random bits. Whoever shows the value to the node takes the right over. Another name, or none, makes the value worthless.
   */
  valueSecret?: string;
  suspended?: Suspension;
}
/**
 * Suspends everything that runs by this right or by any part of it, in whatever namespace, for as long as this is here: rights are kept, what runs by them is held down. Whoever has a part can't undo it. It asks nothing of the node, so it holds also where an edit is refused. A right that passed to another has no say any more.
 */
export interface Suspension {
  /**
   * Why, for those who are suspended, in whose statuses it is shown.
   */
  reason: string;
  /**
   * Whom they may ask; shown with the reason.
   */
  contact?: string;
}
/**
 * What the node says, written by its node manager alone; but for the digests, which are the operator's.
 */
export interface ResourceCapabilityStatus {
  /**
   * The generation of the spec that this status speaks of.
   */
  observedGeneration?: number;
  /**
   * The Secret whose value valueDigest is about.
   */
  valueSecret?: string;
  /**
   * The SHA-256 of the right's value.
   */
  valueDigest?: string;
  /**
   * The generation of the spec by which the last value was taken back. A Secret that was made for an earlier one is worthless for good.
   */
  valueSince?: number;
  /**
   * The SHA-256 of the value in the Secret of spec.redeem, or of nothing.
   */
  redeemDigest?: string;
  /**
   * The generation of the spec that redeemDigest is about.
   */
  redeemGeneration?: number;
  granted?: Grant;
  /**
   * The rights whose holders suspend what runs by this one: what it is part of, outermost first, and itself. The first few.
   */
  suspendedBy?: AppliedSuspension[];
  /**
   * Ready (the sliver runs and is enforced), Granted, Bound, Enforced; the reason of each is one that a person can act on.
   */
  conditions?: Condition[];
}
/**
 * What was granted, whatever the spec says now.
 */
export interface Grant {
  /**
   * The uid of the Node that granted it; a Node that comes back under the same name grants anew.
   */
  nodeUID: string;
  /**
   * The generation of the spec that was granted.
   */
  observedGeneration: number;
  /**
   * When it was granted, RFC 3339.
   */
  time?: string;
  /**
   * The slice it is bound to.
   */
  sliceName?: string;
  /**
   * The right that it is part of now, as <namespace>/<name>; absent where it is of the node itself.
   */
  from?: string;
  resources: Rspec;
  left?: Rspec;
  /**
   * Whether what is split from it leaves too little for a sliver of its own now.
   */
  givenAway?: boolean;
  window?: Window;
}
export interface AppliedSuspension {
  /**
   * The right, as <namespace>/<name>.
   */
  right: string;
  /**
   * Why, in the words of its holder.
   */
  reason: string;
  /**
   * Whom to ask.
   */
  contact?: string;
}
/**
 * A SliceNode holds the policy of a node's owner and shows what the node offers, has granted and has left. It is named after its Node, made by the operator, and kept when the Node goes.
 */
export interface SliceNode {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  spec?: SliceNodeSpec;
  status?: SliceNodeStatus;
}
/**
 * The owner's policy. A file on the node itself has the last word.
 */
export interface SliceNodeSpec {
  /**
   * CPU offered to slices, in 1/1000 of what the node can allocate. Default 900.
   */
  shares?: number;
  /**
   * The most that all slices together send, in bits/s. Default 100M.
   */
  egressLimit?: string | number;
  /**
   * Memory offered to slices, in bytes. Default, all that the node can allocate.
   */
  memory?: string | number;
  /**
   * Disk offered to slices, in bytes. Default, all that the node can allocate.
   */
  disk?: string | number;
  /**
   * Slivers offered. Default, the pods that the node can hold less 10.
   */
  pods?: number;
  /**
   * The node's uplinks and their rates. Default, the interfaces of its default routes at the rate of their links.
   */
  lines?: NodeLine[];
  /**
   * What becomes of packets that slivers send by another interface than the lines: Count (default) or Drop.
   */
  otherInterfaces?: 'Count' | 'Drop';
  /**
   * Ports of the node's address offered to slices. Default, 1024 to 65535 of TCP and UDP and all ICMP identifiers. Never to be had, whoever offers them: 33080, 33081, 10248 to 10259 and the range of NodePorts.
   */
  ports?: PortRange[];
  /**
   * Privileges offered to slices. RawSockets: raw sockets and sniffers on owned ports, which harm nobody else. Audit: see the headers of every packet that the node sends. Capabilities: acquire, split, bind and release rights on this node from within a sliver, in its namespace's budget; the operator goes by what is said here or in a SliceNodePolicy, not in the file on the node. Default, RawSockets.
   */
  privileges?: ('RawSockets' | 'Audit' | 'Capabilities')[];
  nodePorts?: NodePortRange;
  /**
   * Whether slivers may use the node's own address (network Host). Rights granted before stay, but for evict. Default false.
   */
  hostNetwork?: boolean;
  /**
   * ICMP echo requests per second and sliver; those of three seconds may come at once. Default 10.
   */
  icmpEchoPerSecond?: number;
  /**
   * Packets with IP options per second and sliver; those of three seconds may come at once. Default 10.
   */
  ipOptionsPerSecond?: number;
  /**
   * What one sliver sends in a day, in bytes; days are UTC. From 80 % on it is slowed so that the rest lasts until the day ends, never below its guarantee. Default, as much as it can.
   */
  bytesPerDay?: string | number;
  exempt?: ExemptDestinations;
  audit?: AuditPolicy;
  sensors?: SensorPolicy;
  budget?: NamespaceBudget;
  /**
   * Other budgets for some namespaces, and those that get nothing.
   */
  namespaces?: NamespacePolicy[];
  /**
   * Times in which no right of a slice holds; a right whose window meets one is refused.
   */
  blackouts?: Blackout[];
  reserved?: Reserve;
  /**
   * True: rights that this policy would not leave are taken back, the youngest first, until the rest fits. Default false: they stay until their windows end, and only nothing new is granted in their place.
   */
  evict?: boolean;
}
export interface NodeLine {
  /**
   * Name of the network interface.
   */
  interface: string;
  /**
   * What the line carries, in bits/s. Default, the rate of the link.
   */
  rate?: string | number;
}
export interface PortRange {
  /**
   * TCP, UDP or ICMP.
   */
  protocol: 'TCP' | 'UDP' | 'ICMP';
  /**
   * The first port.
   */
  from: number;
  /**
   * The last port.
   */
  to: number;
}
/**
 * The cluster's range of NodePorts, as its API server has it in --service-node-port-range: no sliver gets a port of it. Default 30000 to 32767.
 */
export interface NodePortRange {
  /**
   * The first port.
   */
  from: number;
  /**
   * The last port.
   */
  to: number;
}
/**
 * Destinations that egressLimit and bytesPerDay do not count, such as the owner's own network. A sliver's own limit holds there once more. Default, none.
 */
export interface ExemptDestinations {
  /**
   * Addresses or prefixes, of IPv4 and IPv6.
   */
  destinations: string[];
  /**
   * The most that all slices together send there, in bits/s. Default, what the line carries.
   */
  limit?: string | number;
  /**
   * What one sliver sends there in a day, in bytes, as bytesPerDay of the rest. Default, as much as it can.
   */
  bytesPerDay?: string | number;
}
/**
 * The record of what slices sent from this node, and whether strangers may read it.
 */
export interface AuditPolicy {
  /**
   * Days for which it is kept on the node. Default 7.
   */
  keepDays?: number;
  /**
   * The most that it takes of the node's disk, in bytes; the oldest goes first. Default 512Mi.
   */
  keepBytes?: string | number;
  page?: AuditPage;
}
/**
 * A web page that shows it to everybody, with the slices' contacts. Default, none. It needs the chart's value node.auditPage, too.
 */
export interface AuditPage {
  /**
   * The address of the node on which it is. Default, all of them.
   */
  address?: string;
  /**
   * Its TCP port.
   */
  port: number;
  /**
   * Who answers for the node itself; shown on the page.
   */
  contact?: string;
  /**
   * What this machine is, in the owner's words; shown on the page.
   */
  description?: string;
}
/**
 * What the node's sensors may do, and whether others than this machine may ask them.
 */
export interface SensorPolicy {
  /**
   * Pings and traceroutes that the node sends for all who ask together, a quarter of them at most for any one slice; 0: none. What was measured before is answered again for a minute. Default 30.
   */
  probesPerMinute?: number;
  page?: SensorPage;
}
/**
 * Where others can ask what is public on the node. Default, nowhere. It needs the chart's value node.sensorPage, too.
 */
export interface SensorPage {
  /**
   * The address of the node on which it is. Default, all of them.
   */
  address?: string;
  /**
   * Its TCP port.
   */
  port: number;
}
/**
 * What any one namespace may hold on this node. Default 250 shares, 50 ports, 100 pending rights.
 */
export interface NamespaceBudget {
  /**
   * CPU shares granted to one namespace, at any instant.
   */
  shares?: number;
  /**
   * Ports granted to one namespace, at any instant.
   */
  ports?: number;
  /**
   * Rights that a namespace may have asked for without having been granted them. What slivers of one slice ask for over the node's local API counts for a tenth of it at most against all others. Renewals and transfers are not held to it.
   */
  pending?: number;
}
export interface NamespacePolicy {
  /**
   * The namespace.
   */
  name: string;
  /**
   * True: it gets nothing here.
   */
  refused?: boolean;
  budget?: NamespaceBudget;
  /**
   * For its slivers, in the place of the node's.
   */
  bytesPerDay?: string | number;
}
export interface Blackout {
  /**
   * The first instant, RFC 3339.
   */
  start: string;
  /**
   * The first instant after it, RFC 3339.
   */
  end: string;
  /**
   * Why; shown to those who are refused.
   */
  reason?: string;
}
/**
 * A part of everything that is offered, kept for experiments: rights of other namespaces never take it, also where it lies idle. The namespaces that it is for may have the rest, too. Ports are given one by one.
 */
export interface Reserve {
  /**
   * The part, in 1/100 of what is offered.
   */
  percent: number;
  /**
   * For whom.
   */
  namespaces: string[];
}
/**
 * What the node offers and has granted.
 */
export interface SliceNodeStatus {
  node?: NodeFactsStatus;
  /**
   * What others hold slices with rights on this node to, copied by the operator from Restraints. Of several about one slice the strictest holds.
   */
  restraints?: NodeRestraint[];
  defaults?: NodeDefaults;
  /**
   * What slivers with the privilege Capabilities ask for over the node's local API, until the operator has done or refused it.
   */
  requests?: LocalRequest[];
  /**
   * Why the operator does not do what is asked for in requests.
   */
  refusals?: LocalRefusal[];
  offered?: NodeBooks;
  granted?: NodeBooks;
  free?: NodeBooks;
  freeToOthers?: NodeBooks;
  orders?: NodeOrders;
  auditPage?: PublishedPage;
  /**
   * An address by which others reach the node.
   */
  address?: string;
  sensorPage?: PublishedPage;
  /**
   * The Sensors that it serves; the operator sums them up.
   */
  sensors?: ServedSensor[];
  /**
   * The generation of the spec that the node goes by, but where Ready says that it is not valid.
   */
  observedGeneration?: number;
  /**
   * What is known of the node, such as its kernel.
   */
  attributes?: {
    [k: string]: string;
  };
  versions?: NodeVersions;
  /**
   * Ready, LineKnown, WithinOffer; the reason of each is one that a person can act on.
   */
  conditions?: Condition[];
}
/**
 * What the API server knows of the Node, copied by the operator.
 */
export interface NodeFactsStatus {
  /**
   * The uid of the Node.
   */
  uid?: string;
  /**
   * An address by which others reach it, its first InternalIP or else ExternalIP.
   */
  address?: string;
  allocatable?: NodeAllocatable;
}
/**
 * What the Node can allocate to pods.
 */
export interface NodeAllocatable {
  /**
   * CPU in 1/1000 of a core.
   */
  cpuMilli?: number;
  /**
   * Memory in bytes.
   */
  memory?: number;
  /**
   * Ephemeral storage in bytes.
   */
  disk?: number;
  /**
   * Pods.
   */
  pods?: number;
}
export interface NodeRestraint {
  /**
   * The namespace of the slice.
   */
  namespace: string;
  /**
   * The slice; absent: all of the namespace.
   */
  slice?: string;
  /**
   * What runs with its right is held down.
   */
  suspended?: boolean;
  /**
   * The most that its sliver sends, in bits/s.
   */
  egressLimit?: string;
}
/**
 * What SliceNodePolicies say of this node, put together by the operator. What spec says goes before it.
 */
export interface NodeDefaults {
  /**
   * Their names; each goes before those after it, field by field.
   */
  policies: string[];
  policy: SliceNodeSpec;
}
export interface LocalRequest {
  /**
   * Tells it from all others.
   */
  id: string;
  /**
   * What is to be done.
   */
  operation: 'Acquire' | 'Split' | 'Bind' | 'Release';
  /**
   * The sliver's namespace.
   */
  namespace: string;
  /**
   * The right that the sliver runs with.
   */
  right: string;
  /**
   * The uid of that right.
   */
  rightUID: string;
  /**
   * The right to bind or release; to acquire or split, the name that the sliver gives to the new one.
   */
  name: string;
  /**
   * The uid of the right to bind or release.
   */
  uid?: string;
  /**
   * As JSON, resources, window, contact, sliceName and from as in a right's spec; it is checked as that is.
   */
  spec?: string;
}
export interface LocalRefusal {
  /**
   * Which request.
   */
  id: string;
  /**
   * Why, in one word for programs.
   */
  reason: string;
  /**
   * Why, for people.
   */
  message: string;
}
/**
 * What the owner's policy offers to slices.
 */
export interface NodeBooks {
  /**
   * CPU in 1/1000 of what the node can allocate.
   */
  shares?: number;
  /**
   * Egress bandwidth, in bits/s.
   */
  egress?: string;
  /**
   * Memory, in bytes.
   */
  memory?: string;
  /**
   * Disk, in bytes.
   */
  disk?: string;
  /**
   * Slivers.
   */
  pods?: number;
  /**
   * Ports of the node's address, of all protocols; only where it is said what is granted.
   */
  ports?: number;
}
/**
 * What the owner says on the node itself, by slice-node: it goes before every policy. Absent where that is nothing.
 */
export interface NodeOrders {
  cap?: EgressCap;
  /**
   * Slices whose rights are kept and give nothing here.
   */
  suspended?: SuspendedSlice[];
}
/**
 * All slices together send no more than this, whatever the policy says.
 */
export interface EgressCap {
  /**
   * The most, in bits/s.
   */
  egressLimit: string;
  /**
   * Since when, RFC 3339.
   */
  since?: string;
  /**
   * Why.
   */
  reason?: string;
}
export interface SuspendedSlice {
  /**
   * The namespace of the slice.
   */
  namespace: string;
  /**
   * The slice; absent where all of the namespace are suspended.
   */
  slice?: string;
  /**
   * Since when, RFC 3339.
   */
  since?: string;
  /**
   * Why.
   */
  reason?: string;
}
/**
 * Where the node's page is to be found; absent where it publishes none.
 */
export interface PublishedPage {
  /**
   * The address.
   */
  address: string;
  /**
   * The TCP port.
   */
  port: number;
}
export interface ServedSensor {
  /**
   * The Sensor as <namespace>/<name>.
   */
  name: string;
  /**
   * Which of its generations.
   */
  generation?: number;
  /**
   * Whether its last reading failed.
   */
  failing?: boolean;
  /**
   * Readings that succeeded.
   */
  readings?: number;
  /**
   * Readings that failed.
   */
  failures?: number;
  /**
   * Of each reason the last error.
   */
  errors?: ServedSensorError[];
}
export interface ServedSensorError {
  /**
   * Why, in one word for programs.
   */
  reason: string;
  /**
   * Why, for people.
   */
  message: string;
  /**
   * When it happened.
   */
  time: string;
}
/**
 * Versions of what runs there.
 */
export interface NodeVersions {
  /**
   * The node manager.
   */
  nodeManager?: string;
  /**
   * The kernel.
   */
  kernel?: string;
}
/**
 * A SliceNodePolicy gives defaults to many nodes, chosen by their labels. What a SliceNode says itself goes before it, field by field, and the file on the node before both.
 */
export interface SliceNodePolicy {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  status?: SliceNodePolicyStatus;
  spec: SliceNodePolicySpec;
}
/**
 * Where it is in force, written by the operator.
 */
export interface SliceNodePolicyStatus {
  /**
   * The generation of the spec that this status speaks of.
   */
  observedGeneration?: number;
  nodes?: PolicyNodes;
  /**
   * The first few nodes that it is about and that are not told it.
   */
  leftOut?: PolicyLeftOut[];
  /**
   * Ready, when it is in force on every node that it is about; its reason is one that a person can act on.
   */
  conditions?: Condition[];
}
/**
 * Nodes, counted.
 */
export interface PolicyNodes {
  /**
   * Those that it is about.
   */
  matching?: number;
  /**
   * Those of them that are told it, beside what stronger policies, the SliceNode and the file on the node say.
   */
  inForce?: number;
}
export interface PolicyLeftOut {
  /**
   * The node.
   */
  node: string;
  /**
   * Why, for people.
   */
  message: string;
}
/**
 * Which nodes, and what they offer to whom.
 */
export interface SliceNodePolicySpec {
  /**
   * Labels that the nodes have. Default, every node.
   */
  nodeSelector?: {
    [k: string]: string;
  };
  /**
   * Of several policies for a node the higher one goes before the lower, field by field; of equals the one whose name comes first in the alphabet. Default 0.
   */
  priority?: number;
  policy: SliceNodeSpec;
}
/**
 * A Restraint holds slices to less than they were granted, whatever their authors want: it suspends them, or lowers what they may send. It holds as long as it is there; deleting it undoes it. Of several, all hold. It goes by names, so that a slice that is deleted and made again is restrained as before.
 */
export interface Restraint {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  spec: RestraintSpec;
}
/**
 * Who is restrained, how, and why.
 */
export interface RestraintSpec {
  /**
   * The namespace of the slices.
   */
  namespace: string;
  /**
   * The slice. Default, every slice of the namespace, also those that come later.
   */
  slice?: string;
  /**
   * True: the slices keep their rights and lose their pods; their nodes hold down what runs with these rights.
   */
  suspended?: boolean;
  /**
   * The most that each sliver sends, in bits/s, even where that is below its guarantee.
   */
  egressLimit?: string | number;
  /**
   * Why, for the author, in whose Slice's status it is shown.
   */
  reason: string;
  /**
   * Whom the author may ask; shown with the reason.
   */
  contact?: string;
}
/**
 * A Watchdog reads a sensor on all nodes, adds up what it says of each slice, and restrains those that are above a limit, each by a Restraint of its own. Deleting such a Restraint undoes it; deleting the Watchdog undoes them all.
 */
export interface Watchdog {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  spec: WatchdogSpec;
  status?: WatchdogStatus;
}
/**
 * What is watched, and what becomes of those who exceed it.
 */
export interface WatchdogSpec {
  read: WatchdogRead;
  /**
   * What the sum is of, and what is restrained: a Slice (default), or a Namespace with all its slices, which no new name of a slice evades.
   */
  of?: 'Slice' | 'Namespace';
  /**
   * Those whose slices are watched. Default, all.
   */
  namespaces?: string[];
  /**
   * For a column that only grows: its growth in each period of so many seconds is what counts. Periods begin at multiples of their length since 1970, so 86400 is a day, UTC. At least 6 times everySeconds. Default, the value itself counts.
   */
  periodSeconds?: number;
  /**
   * The limit of the sum over all nodes, in the column's unit; it acts above it, not at it.
   */
  above: string | number;
  /**
   * For how long every reading must have been above the limit before it acts. Default 0, at once.
   */
  forSeconds?: number;
  /**
   * Between two readings. Default 10.
   */
  everySeconds?: number;
  /**
   * Throttle lowers what each sliver may send to egressLimit. Suspend takes the slivers' pods. Terminate suspends and deletes the Slices, which no undo brings back; it needs the chart's value operator.terminateSlices.
   */
  action: 'Throttle' | 'Suspend' | 'Terminate';
  /**
   * Of Throttle; the most that each sliver sends, in bits/s.
   */
  egressLimit?: string | number;
  lift?: WatchdogLift;
  /**
   * True: it says in Events and its status what it would do, and does nothing. What it did before stays.
   */
  dryRun?: boolean;
  /**
   * The most slices, or namespaces, that it holds restrained at a time; beyond that a person is asked. So a sensor that is wrong does not end them all. Default 10.
   */
  most?: number;
  /**
   * Whom the author of a restrained slice may ask.
   */
  contact?: string;
}
/**
 * The column of a sensor. Its rows name their slice in the columns namespace and slice, or in one column slice as namespace/name. A node is believed only about slices that have a right there.
 */
export interface WatchdogRead {
  /**
   * The sensor, by its name.
   */
  sensor: string;
  /**
   * Its arguments.
   */
  arguments?: string[];
  /**
   * The column to be added up; of numbers.
   */
  column: string;
}
/**
 * When it undoes by itself what it did. Default, never; a person does.
 */
export interface WatchdogLift {
  /**
   * Every reading, of all nodes, must have been at or below this; at most above.
   */
  below: string | number;
  /**
   * For so many seconds. Default 60.
   */
  forSeconds?: number;
}
/**
 * What it sees and holds, written by the operator.
 */
export interface WatchdogStatus {
  /**
   * The generation of the spec that this status speaks of.
   */
  observedGeneration?: number;
  /**
   * When it was last written of a reading.
   */
  time?: string;
  /**
   * When the present period began.
   */
  period?: string;
  /**
   * A hash of what is counted: the sensor and column, of what the sums are, the namespaces and the period. As long as it is the same, an edit of the spec takes nobody's sums away.
   */
  counting?: string;
  nodes?: WatchdogNodes;
  /**
   * Slices, or namespaces, that it holds restrained.
   */
  restrained?: number;
  /**
   * Those it restrains, those it was overruled on, and those of the largest sums. After a restart it goes on from these.
   */
  largest?: WatchedSlice[];
  /**
   * Ready; its reason is one that a person can act on.
   */
  conditions?: Condition[];
}
/**
 * The nodes of the last reading, counted.
 */
export interface WatchdogNodes {
  /**
   * Those that answered.
   */
  answered?: number;
  /**
   * Those that were asked and did not.
   */
  silent?: number;
}
export interface WatchedSlice {
  /**
   * The namespace.
   */
  namespace: string;
  /**
   * The slice; absent where the namespace is watched.
   */
  slice?: string;
  /**
   * The sum over the nodes.
   */
  value: number;
  /**
   * Restrained by it; WouldBe, in a dry run; Pardoned: somebody undid it, and it acts again only once the sum was at or below the limit.
   */
  state?: 'Restrained' | 'WouldBe' | 'Pardoned';
}
/**
 * A Sensor is a table that every node it runs on answers at http://127.0.0.1:33080/<namespace>.<name>: from a file of the node, a command in a sliver, or a sliver's own HTTP server.
 */
export interface Sensor {
  apiVersion: string;
  kind: string;
  /**
   * Name, namespace, labels and the like.
   */
  metadata: ObjectMeta;
  spec: SensorSpec;
  status?: SensorStatus;
}
/**
 * What is read, how, and who may read it; 8192 characters of texts and 16 KiB as JSON at most.
 */
export interface SensorSpec {
  /**
   * What it says, for people; shown on each node's index page.
   */
  description?: string;
  /**
   * The Slice, of the Sensor's namespace, in whose slivers it is read: nodes without a sliver of it do not serve it. None for a file.
   */
  slice?: string;
  /**
   * Only these nodes serve it. Default, all that can.
   */
  nodes?: string[];
  /**
   * Snapshot (default): read when it is asked for. Streaming: a command or a server that goes on, each line one row; it runs once however many listen, and only while somebody does.
   */
  type?: 'Snapshot' | 'Streaming';
  file?: SensorFile;
  command?: SensorCommand;
  http?: SensorHttp;
  /**
   * CSV: a row with the columns' names, then rows (default of commands and HTTP). JSON: an array of objects, or an object a line. KeyValue: a key and its value a line, with a colon, an equals sign or blanks between; one row of all (default of files). Table: columns with blanks between. Value: one row of one column. A file does not stream.
   */
  format?: 'CSV' | 'JSON' | 'KeyValue' | 'Table' | 'Value';
  /**
   * What a row has; everything else in the source is left out.
   */
  columns: SensorColumn[];
  /**
   * Of a Table: whether its first line has the names of the columns. Default, false.
   */
  heading?: boolean;
  /**
   * For so long everybody gets the same reading, so that it is read once for all who ask. Default 5; at least 1.
   */
  cacheSeconds?: number;
  /**
   * A reading that takes longer fails. Default 5.
   */
  timeoutSeconds?: number;
  /**
   * How many of the last readings (of a stream: rows) are kept, at /<namespace>.<name>/history; at most 256 KiB of them. Above 0, it is read each cacheSeconds, but not more often than every 10 s, whether somebody asks or not. Default 0.
   */
  history?: number;
  /**
   * Whether Prometheus gets the columns that have a metric. Default, false.
   */
  export?: boolean;
  /**
   * Public (default): whoever is on the node. Slices: the Sensor's own slice and those named in slices, over their slivers' sockets only.
   */
  access?: 'Public' | 'Slices';
  /**
   * Who else may read it, as <namespace>/<slice>.
   */
  slices?: string[];
}
/**
 * A file of the node that everybody there may read, below /proc or /sys. Served only for Sensors in the namespace of the slice operator itself, where nobody but a cluster's admin may write.
 */
export interface SensorFile {
  /**
   * Such as /proc/vmstat. No process's directory, no symbolic link on the way.
   */
  path: string;
}
/**
 * A program that the sliver runs itself, by /run/slice/bin/slice-sensors, and that writes text to its standard output.
 */
export interface SensorCommand {
  /**
   * The program and its arguments; no shell is between.
   */
  argv: string[];
}
/**
 * A page of the sliver's own HTTP server, which must answer 200 itself; redirects are not followed.
 */
export interface SensorHttp {
  /**
   * A TCP port that the slice owns on the node.
   */
  port: number;
  /**
   * Default, /.
   */
  path?: string;
}
export interface SensorColumn {
  /**
   * The column's name in the answer.
   */
  name: string;
  /**
   * What it is called at its source: a key, a heading, a property; of a Table without headings the number of the column, from 1. Default, its name.
   */
  field?: string;
  /**
   * string, integer, number, or time (RFC 3339). What is of another type in the source has no value in the answer. Of a text such as "16384 kB" the number is taken.
   */
  type: 'string' | 'integer' | 'number' | 'time';
  /**
   * Such as seconds, bytes, bits/s.
   */
  unit?: string;
  /**
   * What it means.
   */
  help?: string;
  /**
   * Prometheus gets a numeric column as this type, if the Sensor is exported.
   */
  metric?: 'gauge' | 'counter';
}
/**
 * What the nodes say, summed up by the operator.
 */
export interface SensorStatus {
  /**
   * Nodes that serve it.
   */
  nodes?: number;
  /**
   * Those of them whose last reading failed.
   */
  failing?: number;
  /**
   * Readings that succeeded, as last reported, since each node manager began.
   */
  readings?: number;
  /**
   * Readings that failed, likewise.
   */
  failures?: number;
  /**
   * Of each reason the last error of any node.
   */
  errors?: SensorErrorStatus[];
  /**
   * The generation it speaks of.
   */
  observedGeneration?: number;
  /**
   * Ready: a node serves it, and no node fails.
   */
  conditions?: Condition[];
}
export interface SensorErrorStatus {
  /**
   * Why, in one word for programs.
   */
  reason: string;
  /**
   * Why, for people.
   */
  message: string;
  /**
   * The node that says so.
   */
  node?: string;
  /**
   * How many nodes say so.
   */
  nodes: number;
  /**
   * When it happened.
   */
  time?: string;
}
