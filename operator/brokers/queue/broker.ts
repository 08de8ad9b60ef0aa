/** The queue broker as a whole: what it watches, and one pass after the other over all of the queue. */
import { isTrue, getCondition, NodeCondition } from '../../../crds/conditions.ts';
import { LABEL_QUEUED } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceNode } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { startInformer, type Informer } from '../../../kube/informer.ts';
import type { Log } from '../../../kube/log.ts';
import { Resources, type KubeObject } from '../../../kube/resources.ts';
import { After, Done, runWorkers, type Outcome } from '../../../kube/workers.ts';
import { WorkQueue } from '../../../kube/workqueue.ts';
import { isDeleting, type Node, type ObjectRef } from '../../kinds.ts';
import type { Clock } from '../../node/heartbeat.ts';
import { nodeState } from '../../node/state.ts';
import { Expectations, type Seen } from '../../slice/expectations.ts';
import { bounded } from '../../slice/oversize.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import { applyQueue, QUEUE } from './apply.ts';
import type { QueueInput } from './input.ts';
import { planQueue } from './plan.ts';
import { Refusals } from './refusals.ts';

export interface QueueBrokerOptions {
  client: ApiClient;
  log: Log;
  clock: Clock;
  /** The broker's own, by which it is a broker. */
  namespace: string;
  /** Of windows, in ms: where a slice does not say, and the most that one may ask for. */
  lengths: QueueInput['lengths'];
}

/** Events come in bursts: a pass a burst is enough. */
const GATHER_MS = 20;
const LOOK_AGAIN_MS = 250;

export class QueueBroker {
  readonly #options: QueueBrokerOptions;
  readonly #queue = new WorkQueue();
  readonly #expectations: Expectations;
  readonly #refused = new Refusals();
  readonly #unmoved = new Refusals();
  readonly #barred = new Refusals();
  readonly #informers;
  #working: Promise<void> = Promise.resolve();

  /** Begins to watch; writes nothing before `work`. */
  constructor(options: QueueBrokerOptions) {
    this.#options = options;
    const { client, log, namespace, clock } = options;
    this.#expectations = new Expectations(() => clock.monotonic());
    const onChange = () => this.#queue.addAfter(QUEUE, GATHER_MS);
    const common = { client, log, onChange };
    const labelSelector = LABEL_QUEUED;
    this.#informers = {
      slices: startInformer<Slice>({ ...common, resource: Resources.Slice, transform: ours(namespace) }),
      rights: startInformer<ResourceCapability>({ ...common, resource: Resources.ResourceCapability, labelSelector }),
      nodes: startInformer<Node>({ ...common, resource: Resources.Node, transform: lean }),
      sliceNodes: startInformer<SliceNode>({ ...common, resource: Resources.SliceNode }),
    };
  }

  /** Resolves when everything has been listed once. */
  async whenSynced(): Promise<void> {
    await Promise.all(this.#each((informer) => informer.whenSynced()));
  }

  /** Begins to write; call it once, when this process leads and `whenSynced` has resolved. */
  work(): void {
    const options = { name: QUEUE, workers: 1, log: this.#options.log };
    this.#working = runWorkers(this.#queue, (_key, signal) => this.#pass(signal), options);
    this.#queue.add(QUEUE);
  }

  /** Resolves when what was begun is done. */
  async stop(): Promise<void> {
    this.#queue.close();
    await this.#working;
    await Promise.all(this.#each((informer) => informer.stop()));
  }

  async #pass(signal: AbortSignal): Promise<Outcome> {
    if (!this.#expectations.met(QUEUE, (ref) => this.#look(ref))) return After(LOOK_AGAIN_MS);
    const { client, log, clock, namespace, lengths } = this.#options;
    const { slices, rights } = this.#informers;
    const input: QueueInput = {
      namespace,
      slices: slices.store.list(),
      rights: rights.store.list(),
      nodes: this.#nodes(),
      lengths,
      refused: this.#refused.all,
      unmoved: this.#unmoved.all,
      barred: this.#barred.all,
    };
    const present = new Set(input.slices.map(({ metadata }) => metadata.uid ?? ''));
    for (const { metadata } of input.rights) present.add(metadata.labels?.[LABEL_QUEUED] ?? '');
    const memories = { refused: this.#refused, unmoved: this.#unmoved, barred: this.#barred };
    for (const memory of Object.values(memories)) memory.keep(present);
    const now = () => clock.wall();
    const plan = planQueue(input, now());
    // only news is planned with at once: whatever is refused over and over would be asked for without an end
    let isNews = false;
    const remember = (kind: keyof typeof memories) => (uid: string, message: string, nodes?: string[]) => {
      const added = memories[kind].add(uid, message, now(), nodes);
      isNews ||= added;
    };
    for (const { uid, kind, message, nodes } of plan.found) {
      log.info({ slice: uid, message }, kind === 'refused' ? 'a window was refused' : 'an earlier window was refused');
      remember(kind)(uid, message, nodes);
    }
    const told = { refused: remember('refused'), barred: remember('barred') };
    const deps = { client, log, expectations: this.#expectations, ...told, now };
    const inTheWay = await applyQueue(plan, deps, signal);
    if (isNews) return After(1);
    if (inTheWay) return After(LOOK_AGAIN_MS);
    return plan.wakeAt === undefined ? Done : After(Math.max(1, plan.wakeAt - now()));
  }

  #nodes(): ReadonlyMap<string, NodeState> {
    const { nodes, sliceNodes } = this.#informers;
    return new Map(
      nodes.store.list().map((node) => {
        const { name } = node.metadata;
        const sliceNode = sliceNodes.store.get(name);
        const conditions = sliceNode?.status?.conditions;
        const isDown = getCondition(conditions, NodeCondition.Ready) && !isTrue(conditions, NodeCondition.Ready);
        return [name, nodeState(name, node, sliceNode, sliceNode && !isDown ? 'alive' : 'never')];
      }),
    );
  }

  #look({ kind, namespace, name }: ObjectRef): Seen | undefined {
    const { slices, rights } = this.#informers;
    const found = (kind === 'Slice' ? slices : rights).store.get(`${namespace}/${name}`);
    if (!found) return undefined;
    const { uid, resourceVersion } = found.metadata;
    return { uid, resourceVersion, deleting: isDeleting(found) };
  }

  #each<R>(call: (informer: Pick<Informer<KubeObject>, 'whenSynced' | 'stop'>) => R): R[] {
    return Object.values(this.#informers).map(call);
  }
}

/** Of slices of other brokers only that they are there. */
function ours(namespace: string): (slice: Slice) => Slice {
  return (slice) => {
    if (slice.spec.broker === namespace) return bounded(slice);
    const { contact, sliver } = slice.spec;
    const { status: _, ...rest } = slice;
    return { ...rest, spec: { contact, sliver: { image: sliver.image } } };
  };
}

/** Nodes list every image that they hold. */
function lean(node: Node): Node {
  return { ...node, status: { conditions: node.status?.conditions ?? [] } };
}
