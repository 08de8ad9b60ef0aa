/** What the commands read of a cluster. */
import type { ResourceCapability, Slice, SliceNode } from '../../crds/types.ts';
import { type Arguments, UsageError } from './arguments.ts';
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

const SLICES = 'slices.slice-operator.io';
const RIGHTS = 'resourcecapabilities.slice-operator.io';
const NODES = 'slicenodes.slice-operator.io';

export async function list<T>(kubectl: Kubectl, ...argv: string[]): Promise<T[]> {
  return (JSON.parse(await kubectl.read('get', ...argv, '-o', 'json')) as { items: T[] }).items;
}

function where({ namespace, allNamespaces }: Pick<Arguments, 'namespace' | 'allNamespaces'>): string[] {
  if (allNamespaces) return ['--all-namespaces'];
  return namespace === undefined ? [] : ['--namespace', namespace];
}

export function readSlices(kubectl: Kubectl, args: Arguments): Promise<Slice[]> {
  return list(kubectl, SLICES, ...where(args));
}

/** A slice as it was named: without a namespace where none was. Throws UsageError. */
export function parseSlice(word: string): { namespace: string | undefined; name: string } {
  const [, namespace, name] = /^(?:([a-z0-9][a-z0-9-]*)\/)?([a-z0-9][a-z0-9.-]*)$/.exec(word) ?? [];
  if (name === undefined) throw new UsageError(`${word} is no slice: give a name, or NAMESPACE/NAME`);
  return { namespace, name };
}

/** Which slice is meant, namespace/name, whether there is one or not: with no namespace the one of kubectl's context. */
export async function nameSlice(kubectl: Kubectl, args: Arguments, word: string): Promise<string> {
  const { namespace = args.namespace, name } = parseSlice(word);
  if (namespace !== undefined) return `${namespace}/${name}`;
  const here = await kubectl.read('config', 'view', '--minify', '-o', 'jsonpath={..namespace}').catch(() => {
    throw new KubectlError(`which ${name}? There is no present namespace: give --namespace, or NAMESPACE/${name}`);
  });
  return `${here.trim() || 'default'}/${name}`;
}

export async function readSlice(kubectl: Kubectl, args: Arguments, word: string): Promise<Slice> {
  const { namespace, name } = parseSlice(word);
  const scope = namespace === undefined ? where({ ...args, allNamespaces: false }) : ['--namespace', namespace];
  return JSON.parse(await kubectl.read('get', SLICES, name, ...scope, '-o', 'json')) as Slice;
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
