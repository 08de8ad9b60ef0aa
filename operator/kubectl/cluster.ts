/** What the commands read of a cluster. */
import type { ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import type { Arguments } from './arguments.ts';
import { type Kubectl, KubectlError } from './run.ts';

/** As much of a pod as is read here. */
export interface SliverPod {
  metadata: { name: string; namespace: string; deletionTimestamp?: string };
  spec: { nodeName?: string };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; message?: string }[];
    containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[];
  };
}

/** A sliver's right, and its pod where there is one. */
export interface Sliver {
  node: string;
  right: ResourceCapability;
  pod: SliverPod | undefined;
}

/** A node manager's pod. */
export interface Manager {
  node: string;
  pod: string;
  namespace: string;
}

const SLICES = 'slices.slice-operator.io';
const RIGHTS = 'resourcecapabilities.slice-operator.io';
const NODES = 'slicenodes.slice-operator.io';
const PRODUCT = 'app.kubernetes.io/part-of=slice-operator';

async function list<T>(kubectl: Kubectl, ...argv: string[]): Promise<T[]> {
  return (JSON.parse(await kubectl.read('get', ...argv, '-o', 'json')) as { items: T[] }).items;
}

function where({ namespace, allNamespaces }: Pick<Arguments, 'namespace' | 'allNamespaces'>): string[] {
  if (allNamespaces) return ['--all-namespaces'];
  return namespace === undefined ? [] : ['--namespace', namespace];
}

export function readSlices(kubectl: Kubectl, args: Arguments): Promise<Slice[]> {
  return list(kubectl, SLICES, ...where(args));
}

/** `name`: of a slice, or namespace/name. */
export async function readSlice(kubectl: Kubectl, args: Arguments, name: string): Promise<Slice> {
  const [first, second] = name.split('/', 2) as [string, string?];
  const scope = second === undefined ? where({ ...args, allNamespaces: false }) : ['--namespace', first];
  return JSON.parse(await kubectl.read('get', SLICES, second ?? first, ...scope, '-o', 'json')) as Slice;
}

/** In order of the nodes' names. */
export async function readSlivers(kubectl: Kubectl, { metadata: { namespace = '', name } }: Slice): Promise<Sliver[]> {
  const [rights, pods] = await Promise.all([
    list<ResourceCapability>(kubectl, RIGHTS, '--namespace', namespace),
    list<SliverPod>(kubectl, 'pods', '--namespace', namespace, '--selector', `slice-operator.io/slice=${name}`),
  ]);
  const byName = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  return rights
    .filter(({ spec }) => spec.sliceName === name)
    .map((right) => ({ node: right.spec.nodeName, right, pod: byName.get(right.metadata.name) }))
    .toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

/** undefined where the asker may not read them: they are the nodes' owners'. */
export async function readNodes(kubectl: Kubectl): Promise<SliceNode[] | undefined> {
  return await list<SliceNode>(kubectl, NODES).catch((error: Error) => {
    if (error instanceof KubectlError && /forbidden/i.test(error.message)) return undefined;
    throw error;
  });
}

export async function readManagers(kubectl: Kubectl, node: string | undefined): Promise<Manager[]> {
  const selector = `${PRODUCT},app.kubernetes.io/component=node`;
  const pods = await list<SliverPod>(kubectl, 'pods', '--all-namespaces', '--selector', selector);
  const running = pods.filter(({ status, metadata }) => status?.phase === 'Running' && !metadata.deletionTimestamp);
  const managers = running.map(({ metadata, spec }) => {
    return { node: spec.nodeName ?? '', pod: metadata.name, namespace: metadata.namespace };
  });
  const found = managers.filter((one) => node === undefined || one.node === node);
  if (found.length === 0) throw new KubectlError(`no node manager runs${node === undefined ? '' : ` on ${node}`}`);
  return found.toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

/** The path of the operator's Service that answers for all nodes who sent what. */
export async function readAuditPath(kubectl: Kubectl): Promise<string> {
  const selector = `${PRODUCT},app.kubernetes.io/component=operator`;
  const services = await list<SliverPod>(kubectl, 'services', '--all-namespaces', '--selector', selector);
  const found = services.find(({ metadata }) => metadata.name.endsWith('-audit'));
  if (!found) throw new KubectlError("nobody answers for all nodes: that takes the chart's value operator.audit");
  const { namespace, name } = found.metadata;
  return `/api/v1/namespaces/${namespace}/services/${name}:audit/proxy`;
}
