/** A cluster with a broker of tickets in it: the real operator and broker, the broker with the rights of the example and no others. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { type ApiClient, createClient } from '../../../kube/client.ts';
import { silentLog } from '../../../kube/log.ts';
import { resourcePath, Resources, type KubeObject } from '../../../kube/resources.ts';
import { type KeyPair, privateText } from '../../../operator/brokers/tickets/key.ts';
import { serveBroker } from '../../../operator/brokers/tickets/serve.ts';
import type { ConfigMap } from '../../../operator/kinds.ts';
import type { ApiServer } from '../fixture.ts';
import { type Process, startProcess } from '../operator/process.ts';
import { type StandInNode, startNode } from './node.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/tickets/broker.yaml', import.meta.url));
export const NAMESPACE = 'tickets';

export interface Running {
  url: string;
  stop(): Promise<void>;
}

export interface TicketCluster {
  server: ApiServer;
  node: StandInNode;
  nodeName: string;
  /** A client that has the broker's own rights. */
  account: ApiClient;
  /** One more broker process of the same namespace, with this client or that of its account. */
  startBroker(client?: ApiClient): Promise<Running>;
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
  { key, nodeName, issuers }: { key: KeyPair; nodeName: string; issuers: readonly Trusted[] },
): Promise<TicketCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'slice-tickets-'));
  const { client } = server;
  for (const object of example()) await post(client, object);
  const operator: Process = await startProcess(server);
  const node = startNode(client, nodeName);
  const settings = { issuers: issuers.map((one) => ({ ...one, nodes: [nodeName] })) };
  const keyFile = join(dir, 'private');
  const settingsFile = join(dir, 'settings.yaml');
  writeFileSync(keyFile, `${privateText(key)}\n`, { mode: 0o600 });
  writeFileSync(settingsFile, stringify(settings));
  const account = await asAccount(server, dir);
  const running = new Set<Running>();

  return {
    server,
    node,
    nodeName,
    account,
    async startBroker(through = account) {
      const ending = new AbortController();
      const { port, done } = await serveBroker({
        ...{ client: through, namespace: NAMESPACE, keyFile, settingsFile, port: 0, host: '127.0.0.1' },
        ...{ log: silentLog(), signal: ending.signal, sweepMs: 1_000 },
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
      const path = resourcePath(Resources.ConfigMap, { namespace: NAMESPACE });
      const query = { labelSelector: 'slice-operator.io/tickets=book' };
      return (await client.request<{ items: ConfigMap[] }>('GET', path, { query })).items;
    },
    async stop() {
      for (const one of running) await one.stop();
      await node.stop();
      await operator.stop();
      await account.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** All of the example but for its slice: no pod runs here. */
function example(): KubeObject[] {
  const documents = parseAllDocuments(readFileSync(EXAMPLE, 'utf8'));
  return documents.map((one) => one.toJS() as KubeObject).filter(({ kind }) => kind !== 'Slice' && kind !== 'Secret');
}

const ELSEWHERE: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  ConfigMap: `/api/v1/namespaces/${NAMESPACE}/configmaps`,
  Role: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/rolebindings`,
};

function post(client: ApiClient, body: KubeObject): Promise<unknown> {
  return client.request('POST', ELSEWHERE[body.kind]!, { body });
}

async function asAccount(server: ApiServer, dir: string): Promise<ApiClient> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/broker/token`;
  const { status } = await server.client.request<{ status: { token: string } }>('POST', path, { body });
  const kubeconfig = join(dir, 'kubeconfig');
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
