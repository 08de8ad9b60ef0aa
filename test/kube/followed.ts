/** A server whose objects an informer follows. */
import type { ApiClient } from '../../kube/client.ts';
import { type Informer, type InformerOptions, startInformer } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { eventually } from './eventually.ts';
import { FakeServer } from './fake-server.ts';

export interface ConfigMap extends KubeObject {
  data: Record<string, string>;
}

function plain(objects: readonly KubeObject[]): string {
  const all = (objects as ConfigMap[]).map(({ kind, metadata: { name, uid, resourceVersion }, data }) =>
    JSON.stringify([kind, name, uid, resourceVersion, data]),
  );
  return all.toSorted().join('\n');
}

/** A server, an informer at it as soon as `follow` is called, and the changes that it told of. */
export class Followed {
  readonly server: FakeServer;
  client: ApiClient;
  informer!: Informer<ConfigMap>;
  readonly told: string[] = [];

  private constructor(server: FakeServer, client: ApiClient) {
    this.server = server;
    this.client = client;
  }

  static async start(): Promise<Followed> {
    const server = await new FakeServer().start();
    return new Followed(server, await server.client());
  }

  async stop(): Promise<void> {
    await this.informer.stop();
    await this.server.stop();
  }

  follow(options: Partial<InformerOptions<ConfigMap>> = {}): void {
    const onChange = (key: string, after?: ConfigMap, before?: ConfigMap) => {
      this.told.push(`${before ? (after ? '~' : '-') : '+'}${key}`);
    };
    const all = { client: this.client, resource: Resources.ConfigMap, onChange, log: silentLog(), ...options };
    this.informer = startInformer<ConfigMap>(all);
  }

  watching(): Promise<void> {
    return eventually('a watch', () => this.server.watches.size > 0);
  }

  /** The oracle of every fault: what the store has is what a new list has. */
  same(): Promise<void> {
    return eventually(
      'the store has what the server has',
      () => plain(this.informer.store.list()) === plain(this.server.list()),
    );
  }

  /** Something happens on the server, and the informer gets to know. */
  async catchesUp(): Promise<void> {
    this.server.put('later', { at: String(this.server.seen.length) });
    await this.same();
  }
}
