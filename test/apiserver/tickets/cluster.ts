/** A cluster with a broker of tickets in it: the real operator and broker, the broker with the rights of the example and no others. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { type ApiClient, createClient } from '../../../kube/client.ts';
import type { RequestOptions } from '../../../kube/transport.ts';
import { silentLog } from '../../../kube/log.ts';
import { resourcePath, Resources, type KubeObject } from '../../../kube/resources.ts';
import { type KeyPair, privateText } from '../../../operator/brokers/tickets/key.ts';
import { serveBroker } from '../../../operator/brokers/tickets/serve.ts';
import type { ConfigMap } from '../../../operator/kinds.ts';
import type { ApiServer } from '../fixture.ts';
import { type Process, startProcess } from '../operator/process.ts';
import { type StandInNode, startNode } from './node.ts';

export const EXAMPLE = fileURLToPath(new URL('../../../examples/tickets/broker.yaml', import.meta.url));

const KUBECONFIG = 'kubeconfig';

export interface Running {
  url: string;
  stop(): Promise<void>;
}

export interface TicketCluster {
  server: ApiServer;
  node: StandInNode;
  nodeName: string;
  /** The broker's. */
  namespace: string;
  /** A client that has the broker's own rights. */
  account: ApiClient;
  /** One more broker process of the same namespace, with this client or that of its account, by this clock or the right one. */
  startBroker(options?: { client?: ApiClient; now?: () => number }): Promise<Running>;
  /** Files of its broker: key, settings, and a kubeconfig of its account. */
  files: { key: string; settings: string; kubeconfig: string };
  /** What the account did so far, as `verb resource`. */
  done: ReadonlySet<string>;
  books(): Promise<ConfigMap[]>;
  stop(): Promise<void>;
}

export interface Trusted {
  name: string;
  key: string;
  resources: object;
}

export async function startCluster(
  server: ApiServer,
  {
    namespace,
    key,
    nodeName,
    issuers,
  }: { namespace: string; key: KeyPair; nodeName: string; issuers: readonly Trusted[] },
): Promise<TicketCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'slice-tickets-'));
  const { client } = server;
  for (const object of example(namespace)) await post(client, namespace, object);
  const operator: Process = await startProcess(server);
  const node = startNode(client, nodeName);
  const settings = { issuers: issuers.map((one) => ({ ...one, nodes: [nodeName] })) };
  const keyFile = join(dir, 'private');
  const settingsFile = join(dir, 'settings.yaml');
  writeFileSync(keyFile, `${privateText(key)}\n`, { mode: 0o600 });
  writeFileSync(settingsFile, stringify(settings));
  const done = new Set<string>();
  const accountClient = await asAccount(server, namespace, dir);
  const account = noting(accountClient, done);
  const running = new Set<Running>();

  return {
    server,
    node,
    nodeName,
    namespace,
    account,
    done,
    files: { key: keyFile, settings: settingsFile, kubeconfig: join(dir, KUBECONFIG) },
    async startBroker({ client: through = account, now = Date.now } = {}) {
      const ending = new AbortController();
      const { port, done } = await serveBroker({
        ...{ client: through, namespace, keyFile, settingsFile, port: 0, host: '127.0.0.1' },
        ...{ log: silentLog(), signal: ending.signal, sweepMs: 500, now },
      });
      const one: Running = {
        url: `http://127.0.0.1:${port}`,
        async stop() {
          running.delete(one);
          ending.abort();
          await done;
        },
      };
      running.add(one);
      return one;
    },
    async books() {
      const path = resourcePath(Resources.ConfigMap, { namespace });
      const query = { labelSelector: 'slice-operator.io/tickets=book' };
      return (await client.request<{ items: ConfigMap[] }>('GET', path, { query })).items;
    },
    async stop() {
      for (const one of running) await one.stop();
      await node.stop();
      await operator.stop();
      await accountClient.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** All of the example but for its slice, in this namespace: no pod runs here. */
function example(namespace: string): KubeObject[] {
  const text = readFileSync(EXAMPLE, 'utf8').replaceAll(/(name(?:space)?: )tickets\b/g, `$1${namespace}`);
  const objects = parseAllDocuments(text).map((one) => one.toJS() as KubeObject);
  return objects.filter(({ kind }) => kind !== 'Slice' && kind !== 'Secret');
}

const PLURALS: Readonly<Record<string, string>> = {
  ServiceAccount: 'serviceaccounts',
  ConfigMap: 'configmaps',
  Role: 'roles',
  RoleBinding: 'rolebindings',
};

function post(client: ApiClient, namespace: string, body: KubeObject): Promise<unknown> {
  const base = body.apiVersion === 'v1' ? '/api/v1' : `/apis/${body.apiVersion}`;
  const path = body.kind === 'Namespace' ? 'namespaces' : `namespaces/${namespace}/${PLURALS[body.kind]}`;
  return client.request('POST', `${base}/${path}`, { body });
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PATCH: 'patch', DELETE: 'delete' };

/** The same client, but that it notes what it does. */
function noting(real: ApiClient, done: Set<string>): ApiClient {
  async function request(method: string, path: string, options?: RequestOptions): Promise<unknown> {
    const [, resource, name] = /namespaces\/[^/]+\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
    done.add(`${VERBS[method] ?? (name === undefined ? 'list' : 'get')} ${resource}`);
    return await real.request(method, path, options);
  }
  return new Proxy(real, {
    get: (target, property) => (property === 'request' ? request : (Reflect.get(target, property) as unknown)),
  });
}

async function asAccount(server: ApiServer, namespace: string, dir: string): Promise<ApiClient> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/broker/token`;
  const { status } = await server.client.request<{ status: { token: string } }>('POST', path, { body });
  const kubeconfig = join(dir, KUBECONFIG);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: server.url, 'certificate-authority': server.certificate } }],
    users: [{ name: 'u', user: { token: status.token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  return await createClient({ kubeconfig });
}
