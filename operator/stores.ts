/** Everything the operator reads, and who is told when it changes. ConfigMaps and Secrets are not among it: to list them is to read everybody's. */
import type { Informer, InformerOptions } from '../kube/informer.ts';
import { Resources, type KubeObject } from '../kube/resources.ts';
import type { Store } from '../kube/store.ts';
import { LABEL_SITE, LABEL_SLICE } from '../crds/names.ts';
import type {
  ResourceCapability,
  Restraint,
  Sensor,
  Slice,
  SliceNode,
  SliceNodePolicy,
  Watchdog,
} from '../crds/types.ts';
import { keptSensor } from './sensor/kept.ts';
import { bounded } from './slice/oversize.ts';
import { controllerOf, type Lease, type Namespace, type Node, type Pod } from './kinds.ts';

/** Index over rcaps: the node whose resources they are about. */
export const BY_NODE = 'node';
/** Index over rcaps that no Slice controls: the slice that they are bound to, as <namespace>/<name>. */
export const BY_SLICE = 'slice';
/** Index over Slices: their namespace; over Restraints: the namespace whose slices they are about. */
export const BY_NAMESPACE = 'namespace';
/** Index over Namespaces: the value of the label by which some are one site. */
export const BY_SITE = 'site';
/** Index over whatever is controlled, by `controllerKey` of the controller. */
export const BY_CONTROLLER = 'controller';

/** Index over SliceNodes: the Sensors that they serve, as <namespace>/<name>. */
export const BY_SENSOR = 'sensor';

/**
 * Namespace, kind and uid: an owner reference is what its writer likes, and uids are no secret. Nothing in one namespace can
 * be owned by an object of another, so whoever claims that is not believed.
 */
export function controllerKey(owner: { kind: string; uid: string | undefined }, namespace: string | undefined): string {
  return `${namespace}/${owner.kind}/${owner.uid}`;
}

export interface Kinds {
  slices: Slice;
  capabilities: ResourceCapability;
  sliceNodes: SliceNode;
  sliceNodePolicies: SliceNodePolicy;
  restraints: Restraint;
  watchdogs: Watchdog;
  sensors: Sensor;
  /** Those with the label of a slice: of others we learn when their name is taken. */
  pods: Pod;
  nodes: Node;
  namespaces: Namespace;
  /** Those of the release's namespace, where node managers keep their heartbeats. */
  leases: Lease;
}

export type Stores = { [K in keyof Kinds]: Store<Kinds[K]> };

/** Told of each object that came, changed or went; the store has it by then. */
export type Listeners = { [K in keyof Kinds]: (object: Kinds[K]) => void };

export type Informers = { [K in keyof Kinds]: Informer<Kinds[K]> };

/** One informer's options for each kind, but for what all have in common. */
export function watched(releaseNamespace: string): { [K in keyof Kinds]: Watched<Kinds[K]> } {
  const indexes = { [BY_CONTROLLER]: controllers };
  return {
    slices: {
      resource: Resources.Slice,
      indexes: { [BY_NAMESPACE]: ({ metadata }) => [metadata.namespace ?? ''] },
      transform: bounded,
    },
    capabilities: {
      resource: Resources.ResourceCapability,
      indexes: { ...indexes, [BY_NODE]: (object) => [object.spec.nodeName], [BY_SLICE]: boundTo },
    },
    sliceNodes: { resource: Resources.SliceNode, indexes: { [BY_SENSOR]: servedSensors } },
    sliceNodePolicies: { resource: Resources.SliceNodePolicy },
    restraints: {
      resource: Resources.Restraint,
      indexes: { ...indexes, [BY_NAMESPACE]: ({ spec }) => [spec.namespace] },
    },
    watchdogs: { resource: Resources.Watchdog },
    sensors: { resource: Resources.Sensor, transform: keptSensor },
    pods: { resource: Resources.Pod, labelSelector: LABEL_SLICE, indexes, transform: lean },
    nodes: { resource: Resources.Node, transform: withoutImages },
    namespaces: { resource: Resources.Namespace, indexes: { [BY_SITE]: sites } },
    leases: { resource: Resources.Lease, namespace: releaseNamespace },
  };
}

type Watched<T extends KubeObject> = Pick<
  InformerOptions<T>,
  'resource' | 'indexes' | 'labelSelector' | 'namespace' | 'transform'
>;

function sites({ metadata }: Namespace): string[] {
  const site = metadata.labels?.[LABEL_SITE];
  return site ? [site] : [];
}

function servedSensors({ status }: SliceNode): string[] {
  return (status?.sensors ?? []).map(({ name }) => name);
}

function boundTo(capability: ResourceCapability): string[] {
  const { sliceName } = capability.spec;
  const isSlices = controllerOf(capability)?.kind === 'Slice';
  return sliceName && !isSlices ? [`${capability.metadata.namespace}/${sliceName}`] : [];
}

function controllers(object: KubeObject): string[] {
  const owner = controllerOf(object);
  return owner ? [controllerKey(owner, object.metadata.namespace)] : [];
}

/** Of a pod's spec only its node is read; a hundred thousand of them must fit in memory. */
function lean(pod: Pod): Pod {
  return { ...pod, spec: { nodeName: pod.spec.nodeName } };
}

/** Nodes list every image that they hold. */
function withoutImages(node: Node): Node {
  const { conditions, allocatable, addresses } = node.status ?? {};
  return { ...node, status: { conditions, allocatable, addresses } };
}
