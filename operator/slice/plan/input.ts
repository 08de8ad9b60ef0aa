/** What a slice's plan is made from: everything that is known, at one instant, without I/O. */
import type { NodeAllocatable, NodeBooks, ResourceCapability, Restraint, Slice } from '../../../crds/types.ts';
import type { ConfigMap, KubeObject, ObjectRef, Pod, Taint } from '../../kinds.ts';
import type { Pool } from '../../site/pool.ts';
import type { MergePatch } from './mergepatch.ts';

/** A node as placement sees it. */
export interface NodeState {
  name: string;
  /** undefined: there is no such Node now, only its SliceNode. */
  uid: string | undefined;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  cordoned: boolean;
  /** Why the node can not be counted on, as the end of the sentence "node1 ..."; undefined while it can. */
  lost: string | undefined;
  /** As copied to the SliceNode for this very uid; undefined until then. */
  allocatable: NodeAllocatable | undefined;
  /** What its manager says is left, for choosing only: the node itself decides. */
  free: NodeBooks | undefined;
}

export interface SliceInput {
  slice: Slice;
  /** Labels of the slice's namespace. */
  namespaceLabels: Readonly<Record<string, string>>;
  nodes: ReadonlyMap<string, NodeState>;
  /** What others hold the slice to; those that suspend it first. */
  restraints: readonly Restraint[];
  /** The rcaps that the slice controls. */
  capabilities: readonly ResourceCapability[];
  /** Rcaps of its namespace that are bound to the slice and that no Slice controls. */
  bound: readonly ResourceCapability[];
  /** The pods that all these rcaps control, by name. */
  pods: ReadonlyMap<string, Pod>;
  /** The ConfigMap with the boot script, where the slice controls it. */
  bootScript: ConfigMap | undefined;
  /** Whether the default broker runs here. Without it the slice's own rights are used as they are, like those of others. */
  brokering: boolean;
  /** The pool of its site, as the default broker keeps it; undefined: there are none. */
  pool?: Pool | undefined;
  /** What somebody else has under a name that we would give, by `nameKey`. It is never touched. */
  taken: { get(key: string): KubeObject | undefined };
}

/** One write. What is to be edited, removed or replaced is named with its uid. */
export type Effect =
  | { kind: 'create'; object: KubeObject; node?: string }
  | { kind: 'edit'; ref: ObjectRef; patch: MergePatch; node?: string }
  | { kind: 'remove'; ref: ObjectRef; why: RemoveReason; propagation: 'Foreground' | 'Background'; node?: string }
  /** Remove what is over, then ask again under the same name. */
  | { kind: 'replace'; ref: ObjectRef; object: KubeObject; now: boolean; node?: string };

export type RemoveReason =
  | 'Surplus'
  | 'WindowClosed'
  | 'HostNetworkNotAllowed'
  | 'Deleting'
  | 'Suspended'
  | 'NotGranted'
  | 'Expired'
  | 'GivenAway'
  | 'Outdated'
  | 'NodeGone'
  | 'Unused'
  | 'OtherBroker';

/** The key under which a name is taken. */
export function nameKey(kind: string, name: string): string {
  return `${kind}/${name}`;
}
