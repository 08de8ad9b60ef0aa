/**
 * A real etcd and a real kube-apiserver on loopback, in a directory of their own, with our CRDs; started once for all specs of
 * a mocha run and ended with it. Their programs: KUBEBUILDER_ASSETS, what the cluster harness built, or PATH.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after } from 'mocha';
import { LABEL_SLICE } from '../../crds/names.ts';
import { CRD_FILES, readCrd } from '../../crds/schemas.ts';
import { stripRules } from '../../crds/strip.ts';
import { createClient, type ApiClient, type ClientOptions } from '../../kube/client.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';

const TOKEN = 'fixture-admin';
const CRD_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export interface ApiServer {
  /** https://127.0.0.1:<port> */
  url: string;
  kubeconfig: string;
  /** The certificate that the server made for itself, for clients that verify it. */
  certificate: string;
  /** 20 for Kubernetes 1.20. */
  minor: number;
  /** A client with all rights, closed with the server. */
  client: ApiClient;
  /** One more client, for its own fence or faults. */
  connect(options?: Omit<ClientOptions, 'kubeconfig'>): Promise<ApiClient>;
  /** Kills the API server, keeping its data. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

let running: Promise<ApiServer> | undefined;
const cleanups: (() => Promise<void> | void)[] = [];

/** The API server of this run; the first caller starts it. */
export function apiServer(): Promise<ApiServer> {
  return (running ??= start());
}

/** One more, that shares nothing with the first. Ended with it. */
export function anotherApiServer(): Promise<ApiServer> {
  return start();
}

// registered at the root of the run by whichever spec imports this first
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function start(): Promise<ApiServer> {
  const dir = mkdtempSync(join(tmpdir(), 'slice-apiserver-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const program = find('kube-apiserver');
  writeFileSync(join(dir, 'tokens.csv'), `${TOKEN},admin,admin,system:masters\n`);
  execFileSync('openssl', ['genrsa', '-out', join(dir, 'sa.key'), '2048'], { stdio: 'ignore' });
  launch(dir, find('etcd'), [
    ...['--name=fixture', `--data-dir=${dir}/etcd`, '--unsafe-no-fsync', '--logger=zap', '--log-level=warn'],
    ...[`--listen-client-urls=${etcd}`, `--advertise-client-urls=${etcd}`, `--listen-peer-urls=${peer}`],
    ...[`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=fixture=${peer}`],
  ]);
  const argv = [
    ...[`--etcd-servers=${etcd}`, '--bind-address=127.0.0.1', `--secure-port=${port}`, `--cert-dir=${dir}/certs`],
    ...['--advertise-address=127.0.0.1', '--authorization-mode=RBAC', `--token-auth-file=${dir}/tokens.csv`],
    ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${dir}/sa.key`],
    ...[`--service-account-signing-key-file=${dir}/sa.key`, '--service-cluster-ip-range=10.96.0.0/16'],
    // the node managers are privileged
    '--allow-privileged=true',
    // no controller makes service accounts here, and pods are only objects
    '--disable-admission-plugins=ServiceAccount',
  ];
  const kubeconfig = join(dir, 'kubeconfig');
  const cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'f', cluster }],
    users: [{ name: 'f', user: { token: TOKEN } }],
    contexts: [{ name: 'f', context: { cluster: 'f', user: 'f' } }],
    'current-context': 'f',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  let server = launch(dir, program, argv);
  const connect = async (options: Omit<ClientOptions, 'kubeconfig'> = {}) => {
    const client = await createClient({ ...options, kubeconfig });
    cleanups.push(() => client.close());
    return client;
  };
  const client = await connect();
  await ready(client, dir);
  const minor = Number((await client.request<{ minor: string }>('GET', '/version')).minor.replace(/\D.*/, ''));
  await installCrds(client, minor);
  return {
    url: cluster.server,
    kubeconfig,
    certificate: join(dir, 'certs', 'apiserver.crt'),
    minor,
    client,
    connect,
    kill: () => end(server),
    async start() {
      server = launch(dir, program, argv);
      await ready(client, dir);
    },
  };
}

/** Removes the Slices, rights and slivers that other specs left: an operator would act on them, and its writes be counted. */
export async function removeSlices({ client }: ApiServer): Promise<void> {
  for (const resource of [Resources.Slice, Resources.ResourceCapability]) {
    const path = `/apis/${resource.apiVersion}/${resource.plural}`;
    const { items } = await client.request<{ items: KubeObject[] }>('GET', path);
    for (const { metadata } of items) {
      if (metadata.finalizers) await client.patch(resource, metadata, { metadata: { finalizers: null } });
      await client.remove(resource, { namespace: metadata.namespace, name: metadata.name });
    }
  }
  // nothing collects here what their owners leave
  const query = { labelSelector: LABEL_SLICE };
  const { items } = await client.request<{ items: KubeObject[] }>('GET', '/api/v1/pods', { query });
  for (const { metadata } of items) await client.remove(Resources.Pod, metadata, { gracePeriodSeconds: 0 });
}

/** Removes the nodes that other specs left: the pool of a site is so much of each. */
export async function removeNodes({ client }: ApiServer): Promise<void> {
  for (const resource of [Resources.Node, Resources.SliceNode]) {
    const path = resource.apiVersion === 'v1' ? '/api/v1' : `/apis/${resource.apiVersion}`;
    const { items } = await client.request<{ items: KubeObject[] }>('GET', `${path}/${resource.plural}`);
    for (const { metadata } of items) await client.remove(resource, { name: metadata.name });
  }
}

async function installCrds(client: ApiClient, minor: number): Promise<void> {
  for (const file of CRD_FILES) {
    const crd = readCrd(file);
    const body = minor >= 29 ? crd : stripRules(crd);
    await client.request('POST', CRD_PATH, { body }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
    const path = `/apis/slice-operator.io/v1alpha1/${crd.spec.names.plural}`;
    // served a moment after it is established
    await until(`${crd.metadata.name} to be served`, () => client.request('GET', path, { query: { limit: 1 } }));
  }
}

async function ready(client: ApiClient, dir: string): Promise<void> {
  await until(`the API server (log in ${dir})`, async () => {
    await client.request('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin');
    await client.request('GET', '/api/v1/namespaces/default');
  });
}

/** Resolves when the attempt does; throws its last error after two minutes. */
export async function until<T>(what: string, attempt: () => Promise<T>, timeoutMs = 120_000): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw new Error(`waited too long for ${what}`, { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function launch(dir: string, program: string, argv: string[]): ChildProcess {
  const log = openSync(join(dir, `${program.split('/').pop()}.log`), 'a');
  const child = spawn(program, argv, { stdio: ['ignore', log, log] });
  cleanups.push(() => end(child));
  // a run that ends without its hooks must not leave them behind
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function find(program: string): string {
  const cache = process.env.SLICE_CACHE ?? join(homedir(), '.cache/slice-operator');
  const dirs = [
    process.env.KUBEBUILDER_ASSETS ?? '',
    join(cache, 'cluster/bin'),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const found = dirs
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, program))
    .find((path) => existsSync(path));
  if (!found)
    throw new Error(`${program} is not there: run \`node test/cluster/main.ts prepare\`, or set KUBEBUILDER_ASSETS`);
  return found;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
