/** The pod of one sliver: locked down whatever the Slice says, and bound to its node. */
import { amounts, type Amounts } from '../../../crds/rspec.ts';
import {
  bootConfigMapName,
  DRIVER,
  LABEL_NODE,
  LABEL_SLICE,
  LABEL_TEMPLATE,
  nodeLabelValue,
  podName,
  shortHash,
  SLIVER_MOUNT,
  VOLUME_ATTRIBUTE,
} from '../../../crds/names.ts';
import type { NodeAllocatable, ResourceCapability, Rspec, Slice, SliverTemplate } from '../../../crds/types.ts';
import { controllerReference, type Pod } from '../../kinds.ts';
import { attemptAnnotation } from './backoff.ts';
import { BOOT_FILE, BOOT_MOUNT, BOOT_VOLUME, bootKey } from './bootscript.ts';
import { DAEMON_TOLERATIONS } from './eligible.ts';

export const SLIVER_VOLUME = 'slice-operator-sliver';
export const CONTAINER = 'sliver';

/** nobody, as most images know it. */
const NOBODY = 65_534;
const POD_SECURITY = 'pod-security.kubernetes.io/enforce';

/** Pod Security's `restricted` wants a user other than root; elsewhere the image's own user is left as it is. */
export function mustNotBeRoot(namespaceLabels: Readonly<Record<string, string>>): boolean {
  return namespaceLabels[POD_SECURITY] === 'restricted';
}

export interface SliverPod {
  slice: Slice;
  capability: ResourceCapability;
  /** What was granted, which is not always what is asked for. */
  granted: Rspec;
  allocatable: NodeAllocatable;
  nonRoot: boolean;
  /** How often the pod failed before. */
  attempt: number;
}

/**
 * The hash of everything that a running pod can not change, without what differs between nodes: pods with another hash
 * are replaced. Shares, memory, disk and network are in it as granted, since the kubelet reads them from the pod; the rest of the
 * rspec is changed in the kernel under the running pod.
 */
export function templateHash(slice: Slice, granted: Rspec, nonRoot: boolean): string {
  const { shares, memory, disk, network } = amounts(granted);
  const { sliver, placement } = slice.spec;
  const tolerations = placement?.tolerations ?? [];
  const template = { ...sliver, network };
  return shortHash([JSON.stringify(sorted([template, tolerations, shares, memory, disk, nonRoot]))]);
}

export function sliverPod(of: SliverPod): Pod {
  const { slice, capability, granted } = of;
  const { sliver, placement } = slice.spec;
  const { name, namespace } = capability.metadata;
  const { nodeName } = capability.spec;
  const annotations = attemptAnnotation(of.attempt);
  const asGranted = amounts(granted);
  const onHost = asGranted.network === 'Host';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(name),
      namespace,
      labels: {
        [LABEL_SLICE]: slice.metadata.name,
        [LABEL_NODE]: nodeLabelValue(nodeName),
        [LABEL_TEMPLATE]: templateHash(slice, granted, of.nonRoot),
      },
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(capability)],
    },
    spec: {
      restartPolicy: 'Always',
      affinity: onlyOn(nodeName),
      tolerations: [...(placement?.tolerations ?? []), ...DAEMON_TOLERATIONS],
      hostNetwork: onHost,
      // without it names of the cluster would be asked for at the node's own resolver
      ...(onHost && { dnsPolicy: 'ClusterFirstWithHostNet' }),
      hostPID: false,
      hostIPC: false,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        seccompProfile: { type: 'RuntimeDefault' },
        ...(of.nonRoot && { runAsNonRoot: true, runAsUser: NOBODY }),
      },
      ...pick(sliver, ['imagePullSecrets', 'runtimeClassName', 'terminationGracePeriodSeconds']),
      containers: [container(sliver, asGranted, of.allocatable)],
      volumes: volumes(slice, name),
    },
  };
}

function container(sliver: SliverTemplate, granted: Amounts, allocatable: NodeAllocatable): Record<string, unknown> {
  return {
    name: CONTAINER,
    ...pick(sliver, ['image', 'imagePullPolicy', 'env', 'workingDir', 'command', 'args']),
    ...(sliver.bootScript !== undefined && { command: ['/bin/sh', `${BOOT_MOUNT}/${BOOT_FILE}`] }),
    resources: resources(granted, allocatable),
    securityContext: { allowPrivilegeEscalation: false, privileged: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      ...(sliver.volumeMounts ?? []),
      { name: SLIVER_VOLUME, mountPath: SLIVER_MOUNT, readOnly: true },
      ...(sliver.bootScript === undefined ? [] : [{ name: BOOT_VOLUME, mountPath: BOOT_MOUNT, readOnly: true }]),
    ],
  };
}

/**
 * Exact for this node, so that the scheduler's books and ours agree. There is no CPU limit: `excess: None` is kept at
 * the pod's cgroup by the node manager.
 */
function resources(granted: Amounts, allocatable: NodeAllocatable): Record<string, unknown> {
  const sizes = {
    ...(granted.memory !== undefined && { memory: String(granted.memory) }),
    ...(granted.disk !== undefined && { 'ephemeral-storage': String(granted.disk) }),
  };
  const cpu = `${cpuRequest(granted.shares, allocatable.cpuMilli ?? 0)}m`;
  return { requests: { cpu, ...sizes }, ...(Object.keys(sizes).length > 0 && { limits: sizes }) };
}

/** Shares of a node as 1/1000 of a core, rounded down so that all of them together fit; never 0. */
export function cpuRequest(shares: number, cpuMilli: number): number {
  return Math.max(1, Math.floor((shares * cpuMilli) / 1000));
}

function volumes(slice: Slice, rcap: string): Record<string, unknown>[] {
  const { volumes: own, bootScript } = slice.spec.sliver;
  const boot = bootScript !== undefined && {
    name: BOOT_VOLUME,
    configMap: {
      name: bootConfigMapName(slice.metadata.name),
      items: [{ key: bootKey(bootScript), path: BOOT_FILE }],
    },
  };
  return [
    ...(own ?? []).map((volume) => ({ ...volume })),
    // the kubelet starts no container before the node manager has answered for this volume
    {
      name: SLIVER_VOLUME,
      csi: { driver: DRIVER, readOnly: true, volumeAttributes: { [VOLUME_ATTRIBUTE]: rcap } },
    },
    ...(boot ? [boot] : []),
  ];
}

/** By name and not by label: a label can be moved to another node. */
function onlyOn(node: string): Record<string, unknown> {
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }];
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } };
}

/** The fields that are given at all: an absent one must not be sent as null. */
function pick(from: SliverTemplate, keys: readonly (keyof SliverTemplate)[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]));
}

/** The same value with the keys of its objects in one order, whatever order they came in. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]));
}
