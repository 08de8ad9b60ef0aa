/** The operator on a real API server, with a namespace and nodes for each test alone. */
import assert from 'node:assert/strict';
import { getCondition } from '../../../crds/conditions.ts';
import { API_VERSION } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec } from '../../../crds/types.ts';
import { Resources, type KubeObject, type Resource } from '../../../kube/resources.ts';
import type { Pod } from '../../../operator/kinds.ts';
import { type ApiServer, apiServer, until } from '../fixture.ts';
import { startProcess, type Process } from './process.ts';
import { startWorld, type World } from './world.ts';

let serial = 0;

export class Scene {
  /** How far the operator's clock is before the machine's, in ms. */
  offset = 0;
  /** Of this test alone: its namespace, and the label of its nodes. */
  ns = '';
  server!: ApiServer;
  world!: World;
  operator!: Process;

  async start(): Promise<void> {
    this.server = await apiServer();
    this.world = await startWorld(this.server.client);
    this.operator = await startProcess(this.server, { offset: () => this.offset });
  }

  async stop(): Promise<void> {
    await this.operator.stop();
    await this.world.stop();
  }

  /** What comes before each test. */
  async open(): Promise<void> {
    this.ns = `op-${++serial}`;
    await this.namespace(this.ns);
    this.world.decide = () => undefined;
    this.world.stuck = () => undefined;
  }

  /** What comes after each test: nothing of it is left. */
  async clear(): Promise<void> {
    const { client } = this.server;
    for (const slice of await this.all<Slice>(Resources.Slice)) await client.remove(Resources.Slice, slice.metadata);
    await this.eventually(async () => assert.deepEqual(await this.all(Resources.Slice), []));
    for (const node of await this.list<KubeObject>(Resources.Node)) await this.world.removeNode(node.metadata.name);
    for (const node of await this.list<KubeObject>(Resources.SliceNode)) {
      await client.remove(Resources.SliceNode, node.metadata);
    }
  }

  async namespace(name: string, labels = {}): Promise<void> {
    await this.server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }

  /** Each in a zone of its own; their names. */
  async nodes(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, (_, index) => `${this.ns}-n${index + 1}`);
    await Promise.all(names.map((name) => this.world.addNode(name, { of: this.ns, zone: `z${name.slice(-1)}` })));
    return names;
  }

  async apply(spec: Partial<SliceSpec> = {}, name = 'web', namespace = this.ns): Promise<Slice> {
    const placement = { nodeSelector: { of: this.ns }, ...spec.placement };
    return await this.server.client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name, namespace },
      spec: { contact: 'ops@example.org', sliver: { image: 'example.org/web:1' }, ...spec, placement },
    });
  }

  async edit(spec: object, name = 'web'): Promise<void> {
    await this.server.client.patch(Resources.Slice, { namespace: this.ns, name }, { spec });
  }

  async list<T>(resource: Resource, namespace?: string): Promise<T[]> {
    const path = namespace ? `/api/v1/namespaces/${namespace}/${resource.plural}` : `/api/v1/${resource.plural}`;
    const custom = `/apis/${API_VERSION}/${namespace ? `namespaces/${namespace}/` : ''}${resource.plural}`;
    const { client } = this.server;
    return (await client.request<{ items: T[] }>('GET', resource.apiVersion === 'v1' ? path : custom)).items;
  }

  /** Of this test's namespace. */
  all<T>(resource: Resource): Promise<T[]> {
    return this.list<T>(resource, this.ns);
  }

  capabilities(): Promise<ResourceCapability[]> {
    return this.all(Resources.ResourceCapability);
  }

  pods(): Promise<Pod[]> {
    return this.all(Resources.Pod);
  }

  async get(name = 'web', namespace = this.ns): Promise<Slice> {
    return (await this.server.client.get<Slice>(Resources.Slice, { namespace, name }))!;
  }

  eventually(check: () => Promise<void>): Promise<void> {
    return until('what was expected', check);
  }

  /** Waits for it; its message then. */
  async condition(type: string, status: string, reason: string, name = 'web', namespace = this.ns): Promise<string> {
    await this.eventually(async () => {
      const slice = await this.get(name, namespace);
      const { status: is, reason: why, message } = getCondition(slice.status?.conditions, type) ?? {};
      assert.deepEqual([is, why], [status, reason], message);
    });
    return getCondition((await this.get(name, namespace)).status?.conditions, type)!.message;
  }

  ready(): Promise<string> {
    return this.condition('Ready', 'True', 'AllRunning');
  }
}
