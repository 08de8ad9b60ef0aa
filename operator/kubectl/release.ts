/**
 * Where the product itself runs. Anybody can give a pod or a Service of his own its labels, so it is looked for in the
 * release's namespace alone, and that is told by what takes rights in the whole cluster to make.
 */
import type { Arguments } from './arguments.ts';
import { list, type SliverPod } from './cluster.ts';
import { type Kubectl, KubectlError } from './run.ts';

/** A node manager's pod. */
export interface Manager {
  node: string;
  pod: string;
  namespace: string;
}

/** As much of a ClusterRoleBinding as is read here. */
interface Binding {
  subjects?: { kind: string; namespace?: string }[];
}

const PRODUCT = 'app.kubernetes.io/part-of=slice-operator';
const SAY = 'give --release-namespace=NAMESPACE, of the release of the chart';

/** The namespace of the chart's release: as given, else that of the ServiceAccounts that its ClusterRoleBindings name. */
export async function readRelease(kubectl: Kubectl, { release }: Pick<Arguments, 'release'>): Promise<string> {
  if (release !== undefined) return release;
  const selector = `${PRODUCT},app.kubernetes.io/component in (node,operator)`;
  const bindings = await list<Binding>(kubectl, 'clusterrolebindings', '--selector', selector).catch((error: Error) => {
    if (!/forbidden/i.test(error.message)) throw error;
    throw new KubectlError(`ClusterRoleBindings, which say where the operator runs, may not be read: ${SAY}`);
  });
  const accounts = bindings.flatMap(({ subjects = [] }) => subjects.filter(({ kind }) => kind === 'ServiceAccount'));
  const [found, ...more] = new Set(accounts.flatMap(({ namespace }) => namespace ?? []));
  if (found === undefined) throw new KubectlError(`no release is found in this cluster: ${SAY}`);
  if (more.length > 0) throw new KubectlError(`there are releases in ${[found, ...more].join(', ')}: ${SAY}`);
  return found;
}

/** In order of the nodes' names. */
export async function readManagers(kubectl: Kubectl, args: Arguments, node: string | undefined): Promise<Manager[]> {
  const release = await readRelease(kubectl, args);
  const selector = `${PRODUCT},app.kubernetes.io/component=node`;
  const pods = await list<SliverPod>(kubectl, 'pods', '--namespace', release, '--selector', selector);
  const running = pods.filter(({ status, metadata }) => status?.phase === 'Running' && !metadata.deletionTimestamp);
  const managers = running.map(({ metadata, spec }) => {
    return { node: spec.nodeName ?? '', pod: metadata.name, namespace: metadata.namespace };
  });
  const found = managers.filter((one) => node === undefined || one.node === node);
  if (found.length === 0) {
    throw new KubectlError(
      `no node manager runs${node === undefined ? '' : ` on ${node}`} in the namespace ${release}`,
    );
  }
  return found.toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

/** The path of the operator's Service that answers for all nodes who sent what. */
export async function readAuditPath(kubectl: Kubectl, args: Arguments): Promise<string> {
  const release = await readRelease(kubectl, args);
  const selector = `${PRODUCT},app.kubernetes.io/component=operator`;
  const services = await list<SliverPod>(kubectl, 'services', '--namespace', release, '--selector', selector);
  const found = services.find(({ metadata }) => metadata.name.endsWith('-audit'));
  if (!found) throw new KubectlError("nobody answers for all nodes: that takes the chart's value operator.audit");
  const { namespace, name } = found.metadata;
  return `/api/v1/namespaces/${namespace}/services/${name}:audit/proxy`;
}
