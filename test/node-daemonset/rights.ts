/** Rcaps, nodes and admissions for tests: a node of 2000 millicores that offers what it can. */
import { LABEL_NODE } from '../../crds/names.ts';
import { amounts } from '../../crds/rspec.ts';
import type { ResourceCapability, Rspec, SliceNodeSpec } from '../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../node-daemonset/admission/ledger.ts';
import { type AdmissionInput, planAdmission, type Admission } from '../../node-daemonset/admission/plan.ts';
import { policyOf } from '../../node-daemonset/admission/policy.ts';
import type { PodRecord } from '../../node-daemonset/pods.ts';
import { planCapabilityStatus } from '../../node-daemonset/report/capability.ts';

export const NOW = Date.parse('2026-11-01T00:00:00Z');
export const NODE = { uid: 'node-uid', cpuMilli: 2000, memory: 8 * 2 ** 30, disk: 100 * 2 ** 30, pods: 110 };

export function right(
  uid: string,
  resources: Rspec = {},
  spec: Partial<ResourceCapability['spec']> = {},
  metadata: Partial<ResourceCapability['metadata']> = {},
): ResourceCapability {
  return {
    apiVersion: 'slice-operator.io/v1alpha1',
    kind: 'ResourceCapability',
    metadata: {
      name: `right-${uid}`,
      namespace: 'team',
      uid,
      generation: 1,
      creationTimestamp: '2026-10-01T00:00:00Z',
      labels: { [LABEL_NODE]: 'node1' },
      ...metadata,
    },
    spec: { nodeName: 'node1', contact: 'ops@example.org', sliceName: 'measure', resources, ...spec },
  };
}

export function shares(count: number): Rspec {
  return { cpu: { shares: count } };
}

export function edited(rcap: ResourceCapability, spec: Partial<ResourceCapability['spec']>): ResourceCapability {
  const metadata = { ...rcap.metadata, generation: rcap.metadata.generation! + 1 };
  return { ...rcap, metadata, spec: { ...rcap.spec, ...spec } };
}

/** The right with the digest of its value in its status, as the operator writes it. */
export function offering(rcap: ResourceCapability, digest: string): ResourceCapability {
  const offered = edited(rcap, { valueSecret: 'value' });
  return { ...offered, status: { ...rcap.status, valueSecret: 'value', valueDigest: digest } };
}

/** An rcap that shows this digest, as the operator read it. */
export function redeeming(
  uid: string,
  digest: string,
  spec: Partial<ResourceCapability['spec']> = {},
  metadata: Partial<ResourceCapability['metadata']> = {},
): ResourceCapability {
  const { nodeName, contact } = right(uid).spec;
  const rcap = right(uid, {}, {}, { namespace: 'lab', creationTimestamp: '2026-10-03T00:00:00Z', ...metadata });
  return {
    ...rcap,
    spec: { nodeName, contact, redeem: 'shown', ...spec },
    status: { redeemDigest: digest, redeemGeneration: 1 },
  };
}

/** The owner's budget for one namespace is as large as the node unless a test says otherwise. */
export function admit(
  ledger: Ledger,
  rcaps: readonly ResourceCapability[] | undefined,
  change: Partial<AdmissionInput> & { spec?: SliceNodeSpec } = {},
): Admission {
  const { spec, ...rest } = change;
  const policy = policyOf({ budget: { shares: 1000, ports: 1000, pending: 1000 }, ...spec });
  return planAdmission({
    ledger,
    rcaps,
    nodeName: 'node1',
    node: NODE,
    policy,
    otherRequests: 0,
    held: [],
    now: NOW,
    ...rest,
  });
}

/** The rcap with the status that the node writes by this ledger; as it is where the ledger does not have it. */
export function statusIn(ledger: Ledger, nodeUID = NODE.uid): (rcap: ResourceCapability) => ResourceCapability {
  return (rcap) => {
    const entry = ledger.entries.find(({ uid }) => uid === rcap.metadata.uid);
    if (!entry) return rcap;
    const parent = ledger.entries.find(({ uid }) => uid === entry.grant?.parent);
    const split = { left: entry.grant?.amounts, from: parent && `${parent.namespace}/${parent.name}` };
    const none = { pod: undefined, problems: [], whyNot: undefined };
    const status = planCapabilityStatus({ rcap, entry, nodeUID, ...none, split, now: NOW });
    return { ...rcap, status: { ...rcap.status, ...status } };
  };
}

/** The ledger after these rights were asked for, one admission for all. */
export function granted(...rcaps: ResourceCapability[]): Ledger {
  return admit(EMPTY_LEDGER, rcaps).ledger;
}

export function pod(uid: string, rcap: ResourceCapability, change: Partial<PodRecord> = {}): PodRecord {
  const { namespace = '', name, uid: rcapUid = '' } = rcap.metadata;
  return {
    uid,
    name,
    rcap: { namespace, name, uid: rcapUid },
    slice: rcap.spec.sliceName,
    classId: 0x100,
    number: change.classId ?? 0x100,
    targetPath: `/var/lib/kubelet/pods/${uid}/volumes/kubernetes.io~csi/slice/mount`,
    publishedAt: NOW,
    addresses: [],
    amounts: amounts(rcap.spec.resources),
    ...change,
  };
}
