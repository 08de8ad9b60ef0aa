/** A watchdog's world in memory: an API server that takes what the schema takes, nodes that say what the test says. */
import { checkSchema } from '../../../crds/check-schema.ts';
import { API_VERSION } from '../../../crds/names.ts';
import type { Cell } from '../../../crds/reading.ts';
import { readCrd, schemaOf } from '../../../crds/schemas.ts';
import type { ResourceCapability, Restraint, Slice, Watchdog, WatchdogSpec } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { ApiError } from '../../../kube/errors.ts';
import { silentLog } from '../../../kube/log.ts';
import type { Stores } from '../../../operator/stores.ts';
import type { NodeReading } from '../../../operator/watchdog/readings.ts';
import { watchdogReconciler } from '../../../operator/watchdog/reconcile.ts';

const SCHEMA = schemaOf(readCrd('watchdog.yaml'));
const COLUMNS = [
  { name: 'slice', type: 'string' },
  { name: 'pod', type: 'string' },
  { name: 'bytes', type: 'number' },
] as const;

export class WatchdogWorld {
  watchdog: Watchdog;
  restraints: Restraint[] = [];
  slices: Slice[] = [];
  rights: ResourceCapability[] = [];
  /** Rows by node, or why it says nothing. */
  nodes: Record<string, Cell[][] | string> = {};
  events: { reason: string; of: string; message: string }[] = [];
  now = Date.parse('2030-01-01T12:00:00Z');
  monotonic = 0;
  /** Called before whatever is written. */
  refuse: (what: string) => Error | undefined = () => undefined;
  #pass: ReturnType<typeof watchdogReconciler>;

  constructor(spec: Partial<WatchdogSpec> = {}) {
    this.watchdog = {
      apiVersion: API_VERSION,
      kind: 'Watchdog',
      metadata: { name: 'dog', uid: 'uid-of-dog', generation: 1 },
      spec: { read: { sensor: 'bandwidth', column: 'bytes' }, above: 100, action: 'Suspend', ...spec },
    };
    this.#pass = this.#operator();
  }

  /** A granted right for a slice, as `namespace/slice`. */
  grant(slice: string, node: string, more: Partial<ResourceCapability> = {}): void {
    const [namespace = '', sliceName = ''] = slice.split('/');
    const lastTransitionTime = '2030-01-01T00:00:00Z';
    this.rights.push({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { namespace, name: `${sliceName}-${node}`, generation: 1 },
      spec: { nodeName: node, sliceName },
      status: {
        conditions: [{ type: 'Granted', status: 'True', reason: 'Granted', message: '', lastTransitionTime }],
        granted: { nodeUID: 'n', observedGeneration: 1, sliceName, resources: {} },
      },
      ...more,
    } as ResourceCapability);
  }

  slice(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const metadata = { namespace, name, uid: `uid-of-${key}`, creationTimestamp: '2029-01-01T00:00:00Z' };
    this.slices.push({ apiVersion: API_VERSION, kind: 'Slice', metadata } as Slice);
  }

  edit(spec: Partial<WatchdogSpec>): void {
    const { metadata } = this.watchdog;
    const next = { ...metadata, generation: metadata.generation! + 1 };
    this.watchdog = { ...this.watchdog, metadata: next, spec: { ...this.watchdog.spec, ...spec } };
  }

  /** Another process leads from now on. */
  restart(): void {
    this.#pass = this.#operator();
  }

  /** So many seconds later; returns whom it restrains then. */
  async pass(seconds = 10): Promise<string[]> {
    this.now += seconds * 1000;
    this.monotonic += seconds * 1000;
    await this.#pass('dog', AbortSignal.timeout(5_000));
    return this.held;
  }

  get held(): string[] {
    return this.restraints.map(({ spec }) => (spec.slice ? `${spec.namespace}/${spec.slice}` : spec.namespace));
  }

  get reasons(): string[] {
    return this.events.map(({ reason, of }) => `${reason} ${of}`);
  }

  state(key: string) {
    const all = this.watchdog.status?.largest ?? [];
    return all.find(({ namespace, slice }) => (slice ? `${namespace}/${slice}` : namespace) === key);
  }

  #operator(): ReturnType<typeof watchdogReconciler> {
    const keyed = (list: () => Slice[]) => ({
      get: (key: string) => list().find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
      list,
    });
    const stores = {
      watchdogs: { get: () => this.watchdog },
      slices: keyed(() => this.slices),
      restraints: { byIndex: () => this.restraints },
      capabilities: { byIndex: (_: string, node: string) => this.rights.filter(({ spec }) => spec.nodeName === node) },
    } as unknown as Stores;
    return watchdogReconciler({
      client: this.#client() as unknown as ApiClient,
      stores,
      readings: {
        read: () =>
          Promise.resolve(
            Object.entries(this.nodes).map(([node, said]): NodeReading =>
              typeof said === 'string'
                ? { node, error: said }
                : { node, reading: { columns: COLUMNS, rows: said, time: 0 } },
            ),
          ),
      },
      recorder: {
        record: (object, _type, reason, message) => {
          const { namespace, name } = object.metadata;
          this.events.push({ reason, of: namespace ? `${namespace}/${name}` : name, message });
        },
      },
      log: silentLog(),
      now: () => this.now,
      monotonic: () => this.monotonic,
    });
  }

  #client() {
    const allow = (what: string): void => {
      const error = this.refuse(what);
      if (error) throw error;
    };
    return {
      create: async (wanted: Restraint): Promise<Restraint> => {
        const { metadata } = wanted;
        if (this.restraints.some((one) => one.metadata.name === metadata.name)) {
          throw new ApiError('create', 409, JSON.stringify({ reason: 'AlreadyExists' }));
        }
        const stamp = { uid: `uid-of-${metadata.name}`, creationTimestamp: new Date(this.now).toISOString() };
        const made = { ...wanted, metadata: { ...metadata, ...stamp } };
        this.restraints.push(made);
        allow('create');
        return made;
      },
      get: async (_: unknown, { name }: { name: string }) => this.restraints.find((one) => one.metadata.name === name),
      patch: async (_: unknown, { name }: { name: string }, patch: { spec: object }) => {
        allow('patch');
        const one = this.restraints.find(({ metadata }) => metadata.name === name)!;
        return Object.assign(one, { spec: { ...one.spec, ...patch.spec } });
      },
      remove: async (_: unknown, { name }: { name: string }): Promise<void> => {
        allow('remove');
        this.restraints = this.restraints.filter(({ metadata }) => metadata.name !== name);
      },
      apply: async ({ status }: Watchdog): Promise<void> => {
        allow('apply');
        const sent = JSON.parse(JSON.stringify({ ...this.watchdog, status })) as Watchdog;
        const [wrong] = checkSchema(sent, SCHEMA);
        if (wrong) throw new ApiError('apply', 422, JSON.stringify(wrong));
        this.watchdog = sent;
      },
    };
  }
}
