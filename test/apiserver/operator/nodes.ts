/**
 * Node managers with the real admission, ledger and statuses, and nothing of a kernel: each keeps its grant log in memory. For
 * a world that is started without answers of its own.
 */
import { API_VERSION, LABEL_NODE, nodeLabelValue } from '../../../crds/names.ts';
import { amounts } from '../../../crds/rspec.ts';
import type { ResourceCapability, SliceNodeSpec } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { startInformer, type Informer } from '../../../kube/informer.ts';
import { silentLog } from '../../../kube/log.ts';
import { keyOf, Resources, type KubeObject } from '../../../kube/resources.ts';
import { EMPTY_LEDGER, nextEdge, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { planAdmission } from '../../../node-daemonset/admission/plan.ts';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import type { NodeState } from '../../../node-daemonset/checkpoint.ts';
import { NO_ORDERS } from '../../../node-daemonset/owner/orders.ts';
import type { PodRecord } from '../../../node-daemonset/pods.ts';
import { Reporter } from '../../../node-daemonset/report/reporter.ts';
import { Statuses } from '../../../node-daemonset/report/statuses.ts';
import { holdsOf } from '../../../node-daemonset/restraint.ts';
import { hearSuspended } from '../../../node-daemonset/suspension.ts';
import type { Logged } from '../../node-daemonset/admission/replay.ts';
import { controllerOf, isDeleting, type Node, type Pod } from '../../../operator/kinds.ts';

export interface AdmittingNode {
  name: string;
  log: Logged[];
  ledger(): Ledger;
}

export interface AdmittingNodes {
  nodes: AdmittingNode[];
  stop(): Promise<void>;
}

export const OPEN: SliceNodeSpec = { budget: { shares: 1000, ports: 1000, pending: 1000 } };
/** As each Node of the world has it. */
export const SIZE = { cpuMilli: 3900, memory: 8 * 2 ** 30, disk: 100 * 2 ** 30, pods: 110 };
/** A pass is begun so long after the first event that asks for it. */
const GATHER_MS = 5;

export interface AdmittingOptions {
  /** The owners' policy; budgets as large as the node by default. */
  policy?: SliceNodeSpec;
  /** Added to the clock, in ms. */
  offset?: () => number;
}

export async function startNodes(
  client: ApiClient,
  nodes: readonly Node[],
  options: AdmittingOptions = {},
): Promise<AdmittingNodes> {
  const running = nodes.map((node) => startNode(client, node, options));
  await Promise.all(running.map(({ synced }) => synced));
  return {
    nodes: running.map(({ node }) => node),
    async stop() {
      await Promise.all(running.map(({ stop }) => stop()));
    },
  };
}

function startNode(client: ApiClient, { metadata }: Node, { policy = OPEN, offset = () => 0 }: AdmittingOptions) {
  const { name, uid = '' } = metadata;
  const log: Logged[] = [];
  const now = () => Date.now() + offset();
  let ledger: Ledger = EMPTY_LEDGER;
  let heard: Pick<NodeState, 'suspended' | 'wordsAt'> = { suspended: [], wordsAt: 0 };
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const reporter = new Reporter({
    log: silentLog(),
    gapMs: 20,
    write: async (report) => {
      const known = rcaps.store.get(keyOf(report));
      if (!known || known.metadata.uid !== report.metadata.uid) return;
      const { resourceVersion } = known.metadata;
      const whole = { ...report, metadata: { ...report.metadata, resourceVersion } };
      await client.apply<KubeObject>(whole, { fieldManager: 'node-manager', force: true, subresource: 'status' });
    },
  });
  const statuses = new Statuses(reporter);

  function wake(ms = GATHER_MS): void {
    if (stopped) return;
    clearTimeout(timer);
    timer = setTimeout(pass, Math.min(ms, 1_000_000));
  }

  function pass(): void {
    if (!rcaps.store.synced) return wake();
    const own = rcaps.store.list();
    const instant = now();
    const offered = policyOf(policy);
    const input = { nodeName: name, node: { ...SIZE, uid }, policy: offered, otherRequests: 0, held: [] };
    const admission = planAdmission({ ...input, ledger, rcaps: own, now: instant });
    ledger = admission.ledger;
    log.push(...admission.decisions.map((decision) => ({ ...decision, time: instant })));
    const wordsDue = hearSuspended(
      { get: () => ({ ledger, ...heard }), accept: (change) => void (heard = { ...heard, ...change }) },
      own,
      instant,
    );
    const holds = holdsOf({ restraints: [], orders: NO_ORDERS, ledger, suspended: heard.suspended });
    const outcome = { rcaps: own, ledger, pods: records(), problems: [], blackouts: [], holds, now: instant };
    statuses.enforced(outcome, false);
    const edge = Math.min(nextEdge(ledger, instant) ?? Infinity, wordsDue ?? Infinity);
    if (Number.isFinite(edge)) wake(Math.max(1, edge - instant));
  }

  /** Its pods, as the volume's server would know them. */
  function records(): PodRecord[] {
    return pods.store.list().flatMap((pod): PodRecord[] => {
      const owner = controllerOf(pod);
      if (owner?.kind !== 'ResourceCapability' || pod.status?.phase !== 'Running' || isDeleting(pod)) return [];
      const { namespace = '', name: podName, uid: podUid = '' } = pod.metadata;
      return [
        {
          uid: podUid,
          name: podName,
          rcap: { namespace, name: owner.name, uid: owner.uid },
          slice: undefined,
          classId: 0x100,
          number: 0x100,
          targetPath: '',
          publishedAt: instantOf(pod),
          addresses: ['10.0.0.1'],
          amounts: amounts(undefined),
        },
      ];
    });
  }

  const rcaps: Informer<ResourceCapability> = startInformer<ResourceCapability>({
    client,
    log: silentLog(),
    resource: Resources.ResourceCapability,
    labelSelector: `${LABEL_NODE}=${nodeLabelValue(name)}`,
    onChange: () => wake(),
  });
  const pods: Informer<Pod> = startInformer<Pod>({
    client,
    log: silentLog(),
    resource: Resources.Pod,
    labelSelector: `${LABEL_NODE}=${nodeLabelValue(name)}`,
    onChange: () => wake(),
  });
  return {
    node: { name, log, ledger: () => ledger } satisfies AdmittingNode,
    synced: Promise.all([rcaps.whenSynced(), pods.whenSynced()]),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      reporter.close();
      await Promise.all([rcaps.stop(), pods.stop()]);
    },
  };
}

function instantOf(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
}

/** The rcaps of a namespace, as they are now. */
export async function rightsIn(client: ApiClient, namespace: string): Promise<ResourceCapability[]> {
  const path = `/apis/${API_VERSION}/namespaces/${namespace}/resourcecapabilities`;
  return (await client.request<{ items: ResourceCapability[] }>('GET', path)).items;
}
