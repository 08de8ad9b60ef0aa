/** Installs the chart on a real cluster, by helm where there is one, else by kubectl in Helm's order. */
import { run } from '../cluster/command.ts';
import { CHART, hasHelm, kubectlProgram } from './helm.ts';
import { type Manifest, NAMESPACE, RELEASE, renderChart, type Values } from './render.ts';

export interface InstallOptions {
  kubeconfig: string;
  values?: Values;
  namespace?: string;
  release?: string;
  /** Wait until both workloads run, at most so long. Not at all unless told. */
  rolloutTimeoutMs?: number;
  /** What installs; helm where there is one unless told. */
  engine?: 'helm' | 'own';
}

/** The node managers' namespace must allow privileged pods, where Pod Security is enforced. */
const NAMESPACE_LABELS = { 'pod-security.kubernetes.io/enforce': 'privileged' };

/** Installs or upgrades. Without helm nothing is removed that an earlier version of the chart had. */
export async function installChart(options: InstallOptions): Promise<void> {
  const { kubeconfig, values = {}, namespace = NAMESPACE, release = RELEASE, rolloutTimeoutMs } = options;
  const kubectl = kubectlFor(kubeconfig);
  const labelled = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: NAMESPACE_LABELS } };
  await kubectl.apply([labelled]);
  if (await byHelm(options)) {
    const argv = ['helm', 'upgrade', '--install', '--create-namespace', '--kubeconfig', kubeconfig];
    const input = JSON.stringify(values);
    await run([...argv, '--namespace', namespace, '--values', '-', release, CHART], { input, timeoutMs: 300_000 });
  } else {
    const kubeVersion = await kubectl.serverVersion();
    const { objects } = await renderChart({ values, kubeVersion, namespace, release, engine: 'own' });
    const crds = objects.filter(isCrd);
    if (crds.length > 0) {
      await kubectl.apply(crds);
      const names = crds.map(({ metadata }) => `crd/${metadata.name}`);
      await kubectl.run(['wait', '--for=condition=Established', '--timeout=150s', ...names]);
    }
    await kubectl.apply(inOrder(objects.filter((object) => !isCrd(object))));
  }
  if (rolloutTimeoutMs !== undefined) await waitForRollout(kubeconfig, namespace, release, rolloutTimeoutMs);
}

/** Removes everything but what the chart keeps: the CRDs, and so every Slice, and the namespace. */
export async function uninstallChart(options: InstallOptions): Promise<void> {
  const { kubeconfig, values = {}, namespace = NAMESPACE, release = RELEASE } = options;
  if (await byHelm(options)) {
    const argv = ['helm', 'uninstall', release, '--namespace', namespace, '--kubeconfig', kubeconfig, '--wait'];
    await run(argv, { timeoutMs: 300_000 });
    return;
  }
  const kubectl = kubectlFor(kubeconfig);
  const kubeVersion = await kubectl.serverVersion();
  const { objects } = await renderChart({ values, kubeVersion, namespace, release, engine: 'own' });
  const kept = (object: Manifest): boolean => object.metadata.annotations?.['helm.sh/resource-policy'] === 'keep';
  // workloads first: they must not live on without their rights
  const removed = inOrder(objects.filter((object) => !kept(object))).toReversed();
  await kubectl.run(['delete', '--ignore-not-found', '--wait', '-f', '-'], removed);
}

async function waitForRollout(kubeconfig: string, namespace: string, release: string, timeoutMs: number) {
  const kubectl = kubectlFor(kubeconfig);
  const selector = `app.kubernetes.io/instance=${release}`;
  const names = (await kubectl.run(['get', 'deployments,daemonsets', '-n', namespace, '-l', selector, '-o', 'name']))
    .split('\n')
    .filter((name) => name !== '');
  const deadline = performance.now() + timeoutMs;
  for (const name of names) {
    const left = Math.max(1, Math.ceil((deadline - performance.now()) / 1000));
    await kubectl.run(
      ['rollout', 'status', name, '-n', namespace, `--timeout=${left}s`],
      undefined,
      timeoutMs + 30_000,
    );
  }
}

async function byHelm({ engine }: InstallOptions): Promise<boolean> {
  return engine === undefined ? hasHelm() : engine === 'helm';
}

const isCrd = ({ kind }: Manifest): boolean => kind === 'CustomResourceDefinition';

/** What others refer to comes first, as Helm orders it; what is not named comes between rights and workloads. */
const FIRST = ['PriorityClass', 'ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'];
const LAST = ['DaemonSet', 'Deployment'];

function inOrder(objects: readonly Manifest[]): Manifest[] {
  const rank = ({ kind }: Manifest): number => {
    if (LAST.includes(kind)) return FIRST.length + 1 + LAST.indexOf(kind);
    return FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length;
  };
  return objects.toSorted((a, b) => rank(a) - rank(b));
}

interface Kubectl {
  run(args: readonly string[], objects?: readonly Manifest[], timeoutMs?: number): Promise<string>;
  apply(objects: readonly Manifest[]): Promise<void>;
  /** Such as v1.20.2. */
  serverVersion(): Promise<string>;
}

function kubectlFor(kubeconfig: string): Kubectl {
  const kubectl: Kubectl = {
    run(args, objects, timeoutMs = 180_000) {
      const input = objects && JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
      return run([kubectlProgram(), '--kubeconfig', kubeconfig, ...args], { ...(input && { input }), timeoutMs });
    },
    async apply(objects) {
      const how = ['--server-side', '--force-conflicts', '--field-manager=helm'];
      await kubectl.run(['apply', ...how, '-f', '-'], objects);
    },
    async serverVersion() {
      const { serverVersion } = JSON.parse(await kubectl.run(['version', '-o', 'json'])) as {
        serverVersion: { gitVersion: string };
      };
      return serverVersion.gitVersion;
    },
  };
  return kubectl;
}
