/**
 * What stands in for the rest of a cluster around a real API server: fake node managers that grant, a fake kubelet and
 * scheduler that make pods Running, and a fake garbage collector. The operator under test is the real one.
 */
import { LABEL_NODE, leaseName, nodeLabelValue } from '../../../crds/names.ts';
import type { ResourceCapability } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { isStatus } from '../../../kube/errors.ts';
import { startInformer, type Informer } from '../../../kube/informer.ts';
import { microTime } from '../../../kube/leader.ts';
import { silentLog } from '../../../kube/log.ts';
import { keyOf, resourceOf, resourcePath, Resources, type KubeObject } from '../../../kube/resources.ts';
import { controllerOf, isDeleting, type Node, type Pod } from '../../../operator/kinds.ts';

export const RELEASE = 'slice-operator';

export interface Refusal {
  reason: string;
  message: string;
}

export interface World {
  /** Undefined grants; replace it to refuse. */
  decide: (capability: ResourceCapability) => Refusal | undefined;
  /** What a pod's container waits for instead of running. */
  stuck: (pod: Pod) => Refusal | undefined;
  addNode(name: string, labels?: Record<string, string>): Promise<Node>;
  removeNode(name: string): Promise<void>;
  stop(): Promise<void>;
}

const FOREGROUND = 'foregroundDeletion';

/** `answers: false`: other node managers answer, such as those of nodes.ts. */
export async function startWorld(client: ApiClient, { answers = true } = {}): Promise<World> {
  await ignore(409, client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE } }));
  const nodes = new Map<string, Node>();
  const jobs = new Set<Promise<void>>();
  let stopped = false;

  const world: World = {
    decide: () => undefined,
    stuck: () => undefined,
    async addNode(name, labels = {}) {
      const node = await client.create<Node>({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
      const status = {
        conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
        allocatable: { cpu: '3900m', memory: '8Gi', 'ephemeral-storage': '100Gi', pods: '110' },
      };
      await client.patch(Resources.Node, { name }, { status }, { subresource: 'status' });
      nodes.set(name, node);
      await beat(name);
      for (const capability of capabilities.store.list()) answer(capability);
      return node;
    },
    async removeNode(name) {
      nodes.delete(name);
      await client.remove(Resources.Node, { name });
    },
    async stop() {
      stopped = true;
      clearInterval(beats);
      await Promise.all([capabilities, pods, slices].map((informer) => informer.stop()));
      await Promise.all(jobs);
    },
  };

  const beats = setInterval(() => {
    for (const name of nodes.keys()) run(beat(name));
    for (const capability of capabilities.store.list()) run(collectOrphan(capability));
  }, 1_000);

  /** As the garbage collector: what names an owner that is not there goes, also where it was made too late to see its end. */
  async function collectOrphan(capability: ResourceCapability): Promise<void> {
    const owner = controllerOf(capability);
    if (owner?.kind !== 'Slice' || isDeleting(capability)) return;
    if (slices.store.list().some(({ metadata }) => metadata.uid === owner.uid)) return;
    const { namespace } = capability.metadata;
    const present = await client.get<KubeObject>(Resources.Slice, { namespace, name: owner.name });
    if (present?.metadata.uid === owner.uid) return;
    await client.remove(Resources.ResourceCapability, capability.metadata, { propagation: 'Background' });
  }

  async function beat(node: string): Promise<void> {
    const metadata = { namespace: RELEASE, name: leaseName(node) };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: { renewTime: microTime() } };
    await client.apply<KubeObject>(lease, { fieldManager: 'node', force: true });
  }

  /** What is refused because somebody was faster comes again by the next event. */
  function run(job: Promise<unknown>): void {
    const one: Promise<void> = job.then(
      () => undefined,
      (error: unknown) => {
        if (!stopped && !isStatus(error, 404, 409)) console.error('world:', error);
      },
    );
    jobs.add(one);
    void one.then(() => jobs.delete(one));
  }

  /** The node manager: one verdict for each generation, and Ready with the pod. */
  function answer(capability: ResourceCapability): void {
    if (!answers) return;
    const node = nodes.get(capability.spec.nodeName);
    // as a node manager, which lists by its label
    const label = capability.metadata.labels?.[LABEL_NODE];
    if (!node || isDeleting(capability) || label !== nodeLabelValue(node.metadata.name)) return;
    const { generation, name, namespace, uid } = capability.metadata;
    const refused = world.decide(capability);
    const before = capability.status?.granted;
    const keeps = before?.nodeUID === node.metadata.uid;
    const judged =
      capability.status?.observedGeneration === generation && (keeps || (!before && Boolean(capability.status)));
    const pod = pods.store.get(keyOf(capability));
    const up = pod?.status?.phase === 'Running' && !isDeleting(pod);
    const was = capability.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
    if (judged && up === was) return;
    const granted = judged
      ? before
      : refused
        ? keeps
          ? before
          : undefined
        : {
            nodeUID: node.metadata.uid,
            observedGeneration: generation,
            resources: capability.spec.resources ?? {},
            ...(capability.spec.sliceName && { sliceName: capability.spec.sliceName }),
            ...(capability.spec.window && { window: capability.spec.window }),
          };
    const lastTransitionTime = new Date().toISOString();
    const verdict =
      judged && capability.status?.conditions
        ? capability.status.conditions.find(({ type }) => type === 'Granted')!
        : {
            status: granted ? 'True' : 'False',
            reason: refused ? (keeps ? 'ResizeDenied' : refused.reason) : 'Granted',
            message: refused?.message ?? 'granted',
          };
    const ready = granted && up ? 'True' : 'False';
    const status = {
      observedGeneration: generation,
      ...(granted && { granted }),
      conditions: [
        { ...verdict, type: 'Granted', lastTransitionTime },
        { type: 'Ready', status: ready, reason: 'Enforced', message: 'enforced', lastTransitionTime },
      ],
    };
    const metadata = { name, namespace, uid };
    const object = { apiVersion: capability.apiVersion, kind: capability.kind, metadata, status };
    run(client.apply(object, { fieldManager: 'node', force: true, subresource: 'status' }));
  }

  /** Scheduler and kubelet: binds, runs, ends. */
  function runPod(pod: Pod): void {
    const { namespace, name, uid } = pod.metadata;
    const path = resourcePath(Resources.Pod, { namespace, name });
    if (isDeleting(pod)) {
      run(client.remove(Resources.Pod, { namespace, name, uid }, { gracePeriodSeconds: 0 }));
    } else if (!pod.spec.nodeName) {
      const target = { apiVersion: 'v1', kind: 'Node', name: nodeOf(pod) };
      const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
      run(client.request('POST', `${path}/binding`, { body }));
    } else if (pod.status?.phase === 'Pending') {
      const wait = world.stuck(pod);
      const known = pod.status.containerStatuses?.[0]?.state?.waiting;
      if (wait && known) return;
      const container = { name: 'sliver', image: 'x', imageID: '', restartCount: 0, ready: !wait };
      const state = wait ? { waiting: wait } : { running: {} };
      const status = {
        ...(!wait && { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }),
        containerStatuses: [{ ...container, state }],
      };
      run(client.patch(Resources.Pod, { namespace, name }, { status }, { subresource: 'status' }));
    }
  }

  /** The garbage collector: dependents of what is deleted in the foreground, and of what is gone. */
  function collect(owner: KubeObject, gone: boolean): void {
    if (!gone && !owner.metadata.finalizers?.includes(FOREGROUND)) return;
    const dependents = [...pods.store.list(), ...capabilities.store.list()].filter(
      (object) => controllerOf(object)?.uid === owner.metadata.uid,
    );
    for (const object of dependents.filter((one) => !isDeleting(one))) {
      run(client.remove(resourceOf(object), object.metadata, { propagation: 'Background' }));
    }
    if (gone || dependents.length > 0) return;
    const { namespace, name, resourceVersion } = owner.metadata;
    const finalizers = owner.metadata.finalizers!.filter((one) => one !== FOREGROUND);
    run(client.patch(resourceOf(owner), { namespace, name }, { metadata: { resourceVersion, finalizers } }));
  }

  const log = silentLog();
  const pods: Informer<Pod> = startInformer<Pod>({
    client,
    log,
    resource: Resources.Pod,
    labelSelector: 'slice-operator.io/slice',
    onChange(key, after, before) {
      if (after) runPod(after);
      const capability = capabilities?.store.get(key);
      if (capability) answer(capability);
      if (capability && !after && before) collect(capability, false);
    },
  });
  const capabilities: Informer<ResourceCapability> = startInformer<ResourceCapability>({
    client,
    log,
    resource: Resources.ResourceCapability,
    onChange(_key, after, before) {
      if (after) answer(after);
      if (after) collect(after, false);
      else if (before) collect(before, true);
    },
  });
  const slices = startInformer<KubeObject>({
    client,
    log,
    resource: Resources.Slice,
    onChange(_key, after, before) {
      if (!after && before) collect(before, true);
    },
  });
  await Promise.all([capabilities, pods, slices].map((informer) => informer.whenSynced()));
  return world;
}

/** The node that the pod's affinity names: there is no scheduler to ask. */
function nodeOf(pod: Pod): string {
  const text = JSON.stringify(pod.spec['affinity']);
  return /"values":\["([^"]+)"\]/.exec(text)![1]!;
}

export async function ignore(status: number, request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!isStatus(error, status)) throw error;
  });
}
