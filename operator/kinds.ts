/** As much of Kubernetes' own objects as the operator reads: plain JSON, as informers keep it. */
import type { OwnerReference } from '../crds/meta.ts';
import type { KubeObject } from '../kube/resources.ts';

export type { KubeObject } from '../kube/resources.ts';

/** One object and no other: its uid goes with every edit and every delete. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  uid: string;
}

export interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

interface StatusCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface NodeAddress {
  type: string;
  address: string;
}

export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean; taints?: Taint[] };
  status?: { conditions?: StatusCondition[]; allocatable?: Record<string, string>; addresses?: NodeAddress[] };
}

export interface Namespace extends KubeObject {}

export interface Lease extends KubeObject {
  spec?: { renewTime?: string; holderIdentity?: string };
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export interface ContainerStatus {
  name: string;
  ready: boolean;
  restartCount: number;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: { exitCode: number; reason?: string; message?: string; finishedAt?: string };
  };
}

export interface Pod extends KubeObject {
  spec: Record<string, unknown> & { nodeName?: string };
  status?: {
    phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
    reason?: string;
    message?: string;
    conditions?: StatusCondition[];
    containerStatuses?: ContainerStatus[];
  };
}

export function refOf(object: KubeObject): ObjectRef {
  const { namespace, name, uid } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, ...(namespace && { namespace }), name, uid: uid ?? '' };
}

/** The reference that makes `owner` the one controller of what carries it. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller);
}

/** Whether the object is `owner`'s: by uid, so that a namesake made later is somebody else, and in its namespace. */
export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  const controller = controllerOf(object);
  if (controller?.uid === undefined || object.metadata.namespace !== owner.metadata.namespace) return false;
  return controller.uid === owner.metadata.uid && controller.kind === owner.kind;
}

export function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** True where the list has this condition with status True. */
export function holds(conditions: readonly StatusCondition[] | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}
