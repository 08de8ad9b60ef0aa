/** Slices, nodes, rights and pods as the API server would show them, for plans to look at. */
import { API_VERSION, nodeLabelValue, rcapName } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec } from '../../../crds/types.ts';
import { controllerReference, type Pod } from '../../../operator/kinds.ts';
import { planDefaultBroker } from '../../../operator/brokers/default/plan.ts';
import { earliest } from '../../../operator/slice/plan/backoff.ts';
import type { NodeState, SliceInput } from '../../../operator/slice/plan/input.ts';
import { planSlice, type SlicePlan } from '../../../operator/slice/plan/plan.ts';
import { mustNotBeRoot, sliverPod } from '../../../operator/slice/plan/podspec.ts';

export const NOW = Date.parse('2030-01-01T00:00:00Z');
export const at = (ms: number) => new Date(NOW + ms).toISOString();

export function aSlice(spec: Partial<SliceSpec> = {}): Slice {
  return {
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name: 'web', namespace: 'site', uid: 'slice-uid', generation: 1 },
    spec: { contact: 'ops@example.org', sliver: { image: 'example.org/web:1' }, ...spec },
  };
}

export function aNode(name: string, more: Partial<NodeState> = {}): NodeState {
  return {
    name,
    uid: `uid-of-${name}`,
    labels: {},
    taints: [],
    cordoned: false,
    lost: undefined,
    allocatable: { cpuMilli: 4000, memory: 8 * 2 ** 30, disk: 100e9, pods: 110 },
    free: { shares: 900, egress: '100M', memory: '8Gi', disk: '100G', pods: 100 },
    ...more,
  };
}

/** As it is right after its creation. */
export function aRight(slice: Slice, node: string, spec: Partial<ResourceCapability['spec']> = {}): ResourceCapability {
  const name = rcapName(slice.metadata.name, node);
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: {
      name,
      namespace: 'site',
      uid: `uid-of-${name}`,
      generation: 1,
      creationTimestamp: at(-3_600_000),
      labels: { 'slice-operator.io/slice': slice.metadata.name, 'slice-operator.io/node': nodeLabelValue(node) },
      ownerReferences: [controllerReference(slice)],
    },
    spec: { nodeName: node, contact: slice.spec.contact, sliceName: slice.metadata.name, ...spec },
  };
}

export function granted(right: ResourceCapability, nodeUID = `uid-of-${right.spec.nodeName}`): ResourceCapability {
  const { resources = {}, window } = right.spec;
  const observedGeneration = right.metadata.generation!;
  const conditions = [condition('Granted', 'True', 'Granted'), condition('Ready', 'True', 'Enforced')];
  const grant = { nodeUID, resources, ...(window && { window }), observedGeneration };
  return { ...right, status: { observedGeneration, conditions, granted: grant } };
}

/** Refused so many ms ago, at the given attempt (0 is the first). */
export function denied(right: ResourceCapability, agoMs = 0, attempt = 0, reason = 'PortInUse'): ResourceCapability {
  const refusal = { ...condition('Granted', 'False', reason), lastTransitionTime: at(-agoMs) };
  const annotations = attempt > 0 ? { 'slice-operator.io/attempt': String(attempt) } : undefined;
  const metadata = { ...right.metadata, creationTimestamp: at(-agoMs), ...(annotations && { annotations }) };
  return { ...right, metadata, status: { observedGeneration: right.metadata.generation, conditions: [refusal] } };
}

export function condition(type: string, status: 'True' | 'False', reason: string) {
  return { type, status, reason, message: `${reason} it is`, lastTransitionTime: at(-3_600_000) };
}

/** The pod that the operator makes for the right, running. */
export function aPod(slice: Slice, right: ResourceCapability, status: Pod['status'] = RUNNING): Pod {
  const pod = sliverPod({
    slice,
    capability: right,
    granted: right.status?.granted?.resources ?? {},
    allocatable: { cpuMilli: 4000 },
    nonRoot: mustNotBeRoot({}),
    attempt: 0,
  });
  const metadata = { ...pod.metadata, uid: `uid-of-pod-${right.metadata.name}`, creationTimestamp: at(-3_600_000) };
  return { ...pod, metadata, spec: { nodeName: right.spec.nodeName }, status };
}

export const RUNNING: Pod['status'] = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };

export function anInput(slice: Slice, nodes: NodeState[], more: Partial<SliceInput> = {}): SliceInput {
  return {
    slice,
    namespaceLabels: {},
    nodes: new Map(nodes.map((node) => [node.name, node])),
    restraints: [],
    capabilities: [],
    bound: [],
    pods: new Map(),
    bootScript: undefined,
    brokering: true,
    taken: new Map(),
    ...more,
  };
}

/** All that is to be done for a slice: by its own controller, and by the default broker where that runs. */
export function planWhole(input: SliceInput, now: number): SlicePlan {
  const plan = planSlice(input, now);
  const broker = input.brokering ? planDefaultBroker(input, now) : { effects: [], wakeAt: undefined };
  const last = plan.steps.at(-1) ?? [];
  const steps = broker.effects.length > 0 ? [...plan.steps.slice(0, -1), [...broker.effects, ...last]] : plan.steps;
  return { ...plan, steps, wakeAt: earliest(plan.wakeAt, broker.wakeAt) };
}

/** A slice with a granted right and a running pod on each of these nodes. */
export function running(slice: Slice, nodes: NodeState[], more: Partial<SliceInput> = {}): SliceInput {
  const rights = nodes.map(({ name }) => granted(aRight(slice, name)));
  const pods = new Map(rights.map((right) => [right.metadata.name, aPod(slice, right)]));
  return anInput(slice, nodes, { capabilities: rights, pods, ...more });
}
