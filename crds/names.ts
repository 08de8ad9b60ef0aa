/** Every name that is derived rather than given: labels, annotations, and the names of objects we make. */
import { createHash } from 'node:crypto';

export const GROUP = 'slice-operator.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The type of Secrets that carry the value of a right, and the key under which they do: 32 hex digits. */
export const SECRET_TYPE = `${GROUP}/capability`;
export const SECRET_KEY = 'value';

/** The CSI driver through which the kubelet asks for a sliver's volume: a sliver's identity and its gate. */
export const DRIVER = GROUP;
/** Attribute of that volume: the name of the rcap, in the pod's own namespace. */
export const VOLUME_ATTRIBUTE = 'capability';
/** Where a sliver finds its volume. */
export const SLIVER_MOUNT = '/run/slice';

/** On rcaps and sliver pods: the node they belong to, as `nodeLabelValue` gives it. */
export const LABEL_NODE = `${GROUP}/node`;
/** On rcaps, pods and ConfigMaps: the name of the Slice they serve. */
export const LABEL_SLICE = `${GROUP}/slice`;
/** On rcaps of the queue broker: the uid of the Slice that they are for. */
export const LABEL_QUEUED = `${GROUP}/queued`;
/** On rcaps: the slice whose slivers may split, bind and release the right over their node's local API. */
export const LABEL_LOCAL = `${GROUP}/local`;
/** On sliver pods: the hash of the pod template, without what differs from node to node. */
export const LABEL_TEMPLATE = `${GROUP}/template-hash`;
/** On namespaces, set to `allowed` by a cluster admin: slices in it may ask for `network: Host`. */
export const LABEL_HOST_NETWORK = `${GROUP}/host-network`;
export const HOST_NETWORK_ALLOWED = 'allowed';
/** On namespaces, set by a cluster admin: those with the same value are one site. */
export const LABEL_SITE = `${GROUP}/site`;
/** On rcaps: the names of the Slice's overrides that the spec was made with, the weakest first, with commas. */
export const ANNOTATION_OVERRIDES = `${GROUP}/overrides`;
/** On rcaps: how often this right was asked for before and refused; it survives a restart of the operator. */
export const ANNOTATION_ATTEMPT = `${GROUP}/attempt`;
/** On rcaps: shares and windows that a Slice asked for before its last edit, and that the node may hold still; JSON, oldest first. */
export const ANNOTATION_ASKED_BEFORE = `${GROUP}/asked-before`;
/** On Slices that wait for the queue broker: the length of the window that they ask for, in seconds. */
export const ANNOTATION_WINDOW = `${GROUP}/window-seconds`;
/** On rcaps of the queue broker's: the namespace of the Slice that they are for. */
export const ANNOTATION_QUEUED_IN = `${GROUP}/queued-in`;
/** On the Secret of a right's value: the generation of the right's spec that asked for it. */
export const ANNOTATION_GENERATION = `${GROUP}/generation`;
/** On Slices: nothing of the Slice is left in the API when this is removed. */
export const FINALIZER = `${GROUP}/slice`;

/** The longest name a Slice may have: `<slice>-boot` and the labels then fit in 63 characters. */
export const MAX_SLICE_NAME = 52;

const MAX_LABEL = 63;
const MAX_RCAP_PREFIX = 40;

/** Hex digits of a SHA-256 over length-delimited parts, so that ("a","bc") and ("ab","c") differ. */
export function shortHash(parts: readonly string[], digits = 10): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest('hex').slice(0, digits);
}

/** A node's name as a label value: itself where it fits (63 characters), else its beginning and a hash. */
export function nodeLabelValue(node: string): string {
  if (node.length <= MAX_LABEL) return node;
  return `${trimEnd(node.slice(0, 50))}-${shortHash([node])}`;
}

/** The rcap of a slice on a node: `<slice, at most 40 characters>-<hash>`. */
export function rcapName(slice: string, node: string): string {
  return `${trimEnd(slice.slice(0, MAX_RCAP_PREFIX))}-${shortHash([slice, node])}`;
}

/** The rcap that a slice's sliver on a node asked for, over the node's local API, under a name of its own (40 characters). */
export function localRcapName(slice: string, node: string, name: string): string {
  return `${trimEnd(name.slice(0, MAX_RCAP_PREFIX))}-${shortHash([slice, node, name])}`;
}

/** The one pod of an rcap has the rcap's name: so there is never a second one. */
export function podName(rcap: string): string {
  return rcap;
}

/** The ConfigMap that carries a slice's boot script. */
export function bootConfigMapName(slice: string): string {
  return `${slice}-boot`;
}

/** The Lease, in the release's namespace, by which a node manager shows that it lives. */
export function leaseName(node: string): string {
  const name = `slice-node-${node}`;
  return name.length <= 253 ? name : `slice-node-${trimEnd(node.slice(0, 200))}-${shortHash([node])}`;
}

/** A Sensor in addresses: a namespace has no dot, and a builtin's name has none either. */
export function sensorPath({ metadata }: { metadata: { namespace?: string; name: string } }): string {
  return `${metadata.namespace}.${metadata.name}`;
}

/** Names may not end in a dash or a dot before the next part is joined on. */
function trimEnd(text: string): string {
  return text.replace(/[-.]+$/, '');
}
