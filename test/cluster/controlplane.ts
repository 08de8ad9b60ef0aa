/** etcd, API server, controller manager and scheduler: each a process of its own in the control plane's network namespace. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, succeeds } from './command.ts';
import {
  adminKubeconfig,
  controlAddress,
  controlNamespace,
  logDir,
  pkiDir,
  SERVICE_NETWORK,
  type Cluster,
} from './config.ts';
import { kubeconfigOf } from './keys.ts';
import { namespacePath } from './network.ts';
import { endProcess, findProcess, signalProcess, startProcess } from './processes.ts';
import { until } from './progress.ts';

export const CONTROL_COMPONENTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
export type ControlComponent = (typeof CONTROL_COMPONENTS)[number];

/** A node is unready when nothing was heard of it for so long: Kubernetes' 40 s are too long for tests. */
const NODE_GRACE = '16s';

/** Ports that servers before 1.24 open without asking for a name, and later ones no longer know the flags of. */
const closed = (minor: number, flag: string): string[] => (minor < 24 ? [`--${flag}=0`] : []);

function commandLines(cluster: Cluster): Record<ControlComponent, string[]> {
  const { binaries, minor } = cluster;
  const pki = pkiDir(cluster);
  const credentials = (component: ControlComponent): string[] =>
    ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      (flag) => `--${flag}=${kubeconfigOf(cluster, component)}`,
    );
  return {
    etcd: [
      'etcd',
      '--name=etcd',
      `--data-dir=${join(cluster.dir, 'etcd')}`,
      '--listen-client-urls=http://127.0.0.1:2379',
      '--advertise-client-urls=http://127.0.0.1:2379',
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls=http://127.0.0.1:2380',
      '--initial-cluster=etcd=http://127.0.0.1:2380',
      '--unsafe-no-fsync', // survives any process's death, not a power cut: right for tests
      '--logger=zap',
      '--log-level=warn',
    ],
    'kube-apiserver': [
      join(binaries, 'kube-apiserver'),
      '--etcd-servers=http://127.0.0.1:2379',
      `--advertise-address=${controlAddress(cluster.index)}`,
      '--secure-port=6443',
      ...closed(minor, 'insecure-port'),
      '--allow-privileged=true',
      `--service-cluster-ip-range=${SERVICE_NETWORK}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      `--token-auth-file=${pki}/tokens.csv`,
      `--client-ca-file=${pki}/ca.crt`,
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
      `--kubelet-client-certificate=${pki}/kubelet-client.crt`,
      `--kubelet-client-key=${pki}/kubelet-client.key`,
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-signing-key-file=${pki}/service-accounts.key`,
      `--service-account-key-file=${pki}/service-accounts.key`,
    ],
    'kube-controller-manager': [
      join(binaries, 'kube-controller-manager'),
      ...credentials('kube-controller-manager'),
      '--leader-elect=false',
      ...closed(minor, 'port'),
      '--use-service-account-credentials',
      `--service-account-private-key-file=${pki}/service-accounts.key`,
      `--root-ca-file=${pki}/ca.crt`,
      `--cluster-signing-cert-file=${pki}/ca.crt`,
      `--cluster-signing-key-file=${pki}/ca.key`,
      `--node-monitor-grace-period=${NODE_GRACE}`,
      '--controllers=*,-nodeipam',
    ],
    'kube-scheduler': [
      join(binaries, 'kube-scheduler'),
      ...credentials('kube-scheduler'),
      '--leader-elect=false',
      ...closed(minor, 'port'),
    ],
  };
}

export const componentLog = (cluster: Cluster, name: string): string => join(logDir(cluster), `${name}.log`);

/** The end of a component's log, for an error's text. */
export function logTail(cluster: Cluster, name: string, lines = 8): string {
  try {
    return `${name}: ${readFileSync(componentLog(cluster, name), 'utf8').trimEnd().split('\n').slice(-lines).join('\n')}`;
  } catch {
    return `${name} has no log`;
  }
}

/** Starts a component unless it runs. */
export function startControl(cluster: Cluster, component: ControlComponent): void {
  const namespace = namespacePath(controlNamespace(cluster.name));
  const argv = ['nsenter', `--net=${namespace}`, ...commandLines(cluster)[component]];
  startProcess(cluster.dir, component, argv, componentLog(cluster, component));
}

/** Sends a signal; SIGKILL and SIGTERM wait for the end, SIGSTOP and SIGCONT do not. */
export async function killControl(
  cluster: Cluster,
  component: ControlComponent,
  signal: NodeJS.Signals,
): Promise<void> {
  if (signal === 'SIGKILL' || signal === 'SIGTERM') return endProcess(cluster.dir, component, signal);
  const id = findProcess(cluster.dir, component);
  if (id !== undefined) signalProcess(id, signal);
}

export const controlRuns = (cluster: Cluster, component: ControlComponent): boolean =>
  findProcess(cluster.dir, component) !== undefined;

/** kubectl of the same version as the server, as its admin. */
export const kubectl = (cluster: Cluster, argv: readonly string[], input?: string): Promise<string> =>
  run([join(cluster.binaries, 'kubectl'), `--kubeconfig=${adminKubeconfig(cluster)}`, ...argv], {
    input,
    timeoutMs: 400_000,
  });

/** Waits until the API server serves; throws with the ends of the logs when it does not. */
export async function whenServing(cluster: Cluster): Promise<void> {
  const ready = ['get', '--raw', '/readyz', '--request-timeout=2s'];
  await until(
    'API server ready',
    240_000,
    () => succeeds([join(cluster.binaries, 'kubectl'), `--kubeconfig=${adminKubeconfig(cluster)}`, ...ready]),
    () => `${logTail(cluster, 'etcd')}\n${logTail(cluster, 'kube-apiserver')}`,
  );
}

/** Starts all four in the order in which nothing has to back off. */
export async function startControlPlane(cluster: Cluster): Promise<void> {
  startControl(cluster, 'etcd');
  startControl(cluster, 'kube-apiserver');
  await whenServing(cluster);
  startControl(cluster, 'kube-controller-manager');
  startControl(cluster, 'kube-scheduler');
}
