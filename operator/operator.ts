/** The operator as a whole: which events lead to which keys, and who works on them. */
import type { ApiClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Log } from '../kube/log.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import { KubeOperator } from '../kube/operator.ts';
import { keyOf, Resources, type KubeObject } from '../kube/resources.ts';
import { runWorkers, type Outcome } from '../kube/workers.ts';
import { WorkQueue } from '../kube/workqueue.ts';
import { FINALIZER, LABEL_SLICE } from '../crds/names.ts';
import type { ResourceCapability, Slice, SliceNode } from '../crds/types.ts';
import { type Controller, controllerFor, type Work, WORKS } from './controllers.ts';
import { controllerOf, type Pod } from './kinds.ts';
import { measure } from './metrics.ts';
import { Edits } from './node/edits.ts';
import { Heartbeats, type Clock } from './node/heartbeat.ts';
import { NodeView, type Reach } from './node/view.ts';
import { reconcilersOf } from './reconcilers.ts';
import type { SiteShares } from './site/sites.ts';
import { BY_NAMESPACE, BY_NODE, watched, type Informers, type Kinds, type Listeners, type Stores } from './stores.ts';
import { Throttle } from './throttle.ts';
import type { Readings } from './watchdog/readings.ts';

export interface OperatorOptions {
  client: ApiClient;
  recorder: Pick<EventRecorder, 'record'>;
  log: Log;
  metrics: KubeMetrics;
  clock: Clock;
  /** Where the node managers' heartbeats are. */
  releaseNamespace: string;
  controllers: ReadonlySet<Controller>;
  /** What watchdogs go by. */
  readings: Readings;
  /** What sites may hold; undefined: as much as nodes grant. */
  siteShares?: SiteShares;
  /** Between two writes of a slice's status; a second unless a test is in a hurry. */
  statusIntervalMs?: number;
}

const WORKERS: Readonly<Record<Work, number>> = {
  slice: 8,
  broker: 8,
  capability: 2,
  node: 2,
  policy: 1,
  watchdog: 4,
  sensor: 2,
  local: 2,
};
/** How often silence is listened to. */
const SWEEP_MS = 5_000;
/** Between two looks at every slice because of a node: one that flaps must not keep the operator from its work. */
const EVERY_SLICE_MS = 1_000;
const EVERY_SENSOR_MS = 10_000;

export class SliceOperator extends KubeOperator {
  readonly #options: OperatorOptions;
  readonly #queues = Object.fromEntries(WORKS.map((one) => [one, new WorkQueue()])) as Readonly<
    Record<Work, WorkQueue>
  >;
  readonly #heartbeats: Heartbeats;
  /** A node that no longer serves a Sensor does not name it. */
  readonly #sensing = new Throttle(() => this.#everySensor(), EVERY_SENSOR_MS);
  readonly #placing = new Throttle(() => (this.#everySlice(), this.#everyPolicy()), EVERY_SLICE_MS);
  readonly #defaulting = new Throttle(() => this.#everyNode(), EVERY_SLICE_MS);
  readonly #policyEdits = new Edits();
  /** One that was edited may have been about others before. */
  readonly #restraining = new Throttle(() => (this.#everySlice(), this.#everyNode()), EVERY_SLICE_MS);
  #informers: Informers | undefined;
  #view: NodeView | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #working: Promise<unknown> = Promise.resolve();
  #synced = false;

  constructor(options: OperatorOptions) {
    super(options.client, options.log);
    this.#options = options;
    this.#heartbeats = new Heartbeats(options.clock);
  }

  /** Undefined once all stores are filled, else what is missing. */
  get problem(): string | undefined {
    return this.#synced ? undefined : 'the stores are not filled yet';
  }

  /**
   * Those of nodes that there are, as they are known now; none before the stores are filled. A SliceNode outlives its Node,
   * and what it says of addresses is another machine's by then.
   */
  get sliceNodes(): readonly SliceNode[] {
    const { sliceNodes, nodes } = this.#informers ?? {};
    return sliceNodes?.store.list().filter(({ metadata }) => nodes?.store.get(metadata.name)) ?? [];
  }

  /** Called by `start`: begins to watch, and returns when everything has been listed once. Writes nothing. */
  protected override async init(): Promise<void> {
    const listeners = this.#listeners();
    const options = watched(this.#options.releaseNamespace);
    const informers: Partial<Record<keyof Kinds, unknown>> = {};
    for (const kind of Object.keys(options) as (keyof Kinds)[]) {
      const tell = listeners[kind] as (object: KubeObject) => void;
      const onEvent = ({ object }: { object: unknown }) => tell(object as KubeObject);
      informers[kind] = await this.follow<KubeObject>({ ...(options[kind] as { resource: never }), onEvent });
    }
    this.#informers = informers as Informers;
    const stores = this.#stores();
    const onChange = (name: string, reach: Reach) => this.#nodeChanged(name, reach);
    this.#view = new NodeView({ stores, heartbeats: this.#heartbeats, onChange });
    await Promise.all(Object.values(this.#informers).map((informer) => informer.whenSynced()));
    for (const node of [...stores.nodes.list(), ...stores.sliceNodes.list()]) this.#view.update(node.metadata.name);
    this.#synced = true;
    this.#everySlice();
    this.#sweep = setInterval(() => this.#view!.sweep(), SWEEP_MS);
    measure(this.#options.metrics.registry, stores, () => this.#view!.nodes);
  }

  /** Begins to write; call it once, when this process leads. */
  work(): void {
    const reconcilers = reconcilersOf({
      ...this.#options,
      stores: this.#stores(),
      nodes: () => this.#view!.nodes,
      again: (slice) => this.#queues.slice.add(slice),
      acquireAgain: (slice) => this.#slice(slice),
      finalize: (slice) => this.#finalize(slice),
    });
    const { controllers } = this.#options;
    this.#working = Promise.all(
      WORKS.filter((one) => controllers.has(controllerFor(one))).map((one) => this.#run(one, reconcilers[one])),
    );
  }

  /** Takes up nothing new; `finished` tells when what was begun is done. */
  override stop(): void {
    clearInterval(this.#sweep);
    for (const one of [this.#placing, this.#sensing, this.#restraining, this.#defaulting]) one.stop();
    for (const queue of Object.values(this.#queues)) queue.close();
    super.stop();
  }

  async finished(): Promise<void> {
    await this.#working;
  }

  async #run(name: Work, reconcile: (key: string, signal: AbortSignal) => Promise<Outcome>): Promise<void> {
    const queue = this.#queues[name];
    const { onResult } = this.#options.metrics.controller(name, queue);
    await runWorkers(queue, reconcile, { name, workers: WORKERS[name], log: this.#options.log, onResult });
  }

  /** Puts our finalizer on a Slice that has none, takes it off one that is being deleted. */
  async #finalize(slice: Slice): Promise<void> {
    await this.handleResourceFinalizer(this.eventOf(Resources.Slice, slice), FINALIZER, () => Promise.resolve());
  }

  #stores(): Stores {
    const entries = Object.entries(this.#informers!).map(([kind, { store }]) => [kind, store]);
    return Object.fromEntries(entries);
  }

  #listeners(): Listeners {
    const { capability, node, policy, watchdog, sensor, local } = this.#queues;
    return {
      slices: (object) => this.#slice(keyOf(object)),
      capabilities: (object) => {
        this.#sliceOf(object);
        capability.add(keyOf(object));
        // what others hold its slice to must be known there
        node.add(object.spec.nodeName);
      },
      pods: (object) => this.#podChanged(object),
      nodes: ({ metadata: { name } }) => {
        this.#view?.update(name);
        node.add(name);
      },
      sliceNodes: ({ metadata: { name }, status }) => {
        this.#view?.update(name);
        node.add(name);
        local.add(name);
        for (const served of status?.sensors ?? []) sensor.add(served.name);
        this.#sensing.ask();
      },
      sensors: (object) => sensor.add(keyOf(object)),
      sliceNodePolicies: ({ metadata: { name } }) => {
        policy.add(name);
        if (this.#policyEdits.has(name, this.#informers?.sliceNodePolicies.store.get(name))) this.#defaulting.ask();
      },
      restraints: (object) => {
        this.#restraining.ask();
        const owner = controllerOf(object);
        if (owner?.kind === 'Watchdog') watchdog.add(owner.name);
      },
      watchdogs: (object) => watchdog.add(keyOf(object)),
      leases: (object) => {
        const { name } = object.metadata;
        if (this.#informers?.leases.store.get(keyOf(object)) ?? !this.#synced) this.#heartbeats.seen(object);
        else this.#heartbeats.forget(name);
        this.#view?.updateByLease(name);
      },
      namespaces: ({ metadata: { name } }) => {
        if (!this.#synced) return;
        for (const one of this.#stores().slices.byIndex(BY_NAMESPACE, name)) this.#slice(keyOf(one));
      },
    };
  }

  /** Those of its slivers and of its rights. */
  #slice(key: string): void {
    this.#queues.slice.add(key);
    this.#queues.broker.add(key);
  }

  #podChanged(pod: Pod): void {
    const { namespace, labels } = pod.metadata;
    const owner = controllerOf(pod);
    if (owner?.kind !== 'ResourceCapability') return;
    this.#queues.capability.add(`${namespace}/${owner.name}`);
    this.#queues.slice.add(`${namespace}/${labels?.[LABEL_SLICE]}`);
  }

  /** The slice that controls the rcap, and the one that it is bound to. */
  #sliceOf(capability: ResourceCapability): void {
    const { sliceName } = capability.spec;
    if (sliceName) this.#slice(`${capability.metadata.namespace}/${sliceName}`);
    const owner = controllerOf(capability);
    if (owner?.kind === 'Slice') this.#slice(`${capability.metadata.namespace}/${owner.name}`);
  }

  #nodeChanged(name: string, reach: Reach): void {
    if (!this.#synced) return;
    if (reach === 'placement') this.#placing.ask();
    else for (const one of this.#stores().capabilities.byIndex(BY_NODE, name)) this.#sliceOf(one);
  }

  #everyPolicy(): void {
    if (!this.#synced) return;
    for (const { metadata } of this.#stores().sliceNodePolicies.list()) this.#queues.policy.add(metadata.name);
  }

  #everyNode(): void {
    if (!this.#synced) return;
    for (const { metadata } of this.#stores().sliceNodes.list()) this.#queues.node.add(metadata.name);
    this.#everyPolicy();
  }

  #everySensor(): void {
    if (!this.#synced) return;
    for (const sensor of this.#stores().sensors.list()) this.#queues.sensor.add(keyOf(sensor));
  }

  #everySlice(): void {
    if (!this.#synced) return;
    for (const slice of this.#stores().slices.list()) this.#slice(keyOf(slice));
  }
}
