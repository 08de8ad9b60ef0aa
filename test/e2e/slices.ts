/** Slices for end-to-end tests, and what has become of them. */
import { type Condition, getCondition } from '../../crds/conditions.ts';
import { API_VERSION, LABEL_SLICE } from '../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec } from '../../crds/types.ts';
import { type KubeObject, Resources } from '../../kube/resources.ts';
import { until } from '../cluster/progress.ts';
import { addressesOf, type Footprint } from './kernel.ts';
import type { Product } from './product.ts';

export interface Pod extends KubeObject {
  spec: {
    nodeName?: string;
    hostNetwork?: boolean;
    hostPID?: boolean;
    hostIPC?: boolean;
    automountServiceAccountToken: boolean;
    securityContext: Record<string, unknown>;
    containers: { securityContext: Record<string, unknown>; ports?: { hostPort?: number }[]; env?: object[] }[];
    volumes: Record<string, unknown>[];
  };
  status?: { podIP?: string; phase?: string; conditions?: { type: string; status: string }[] };
}

/** A sliver that runs. */
export interface Sliver {
  node: string;
  rcap: ResourceCapability;
  pod: Pod;
}

/** Sleeps, and ends on SIGTERM at once. */
const SLEEPER = ['/bin/bash', '-c', 'trap "exit 0" TERM; sleep infinity & wait'];

/** A slice on every node whose slivers only sleep, with what the test changes of it. */
export function sliceOf(
  { workload }: Product,
  namespace: string,
  name: string,
  { sliver, ...spec }: Partial<Omit<SliceSpec, 'sliver'>> & { sliver?: Partial<SliceSpec['sliver']> } = {},
): Slice {
  const template = { image: workload, terminationGracePeriodSeconds: 5, ...sliver };
  if (template.bootScript === undefined) template.command ??= SLEEPER;
  return {
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name, namespace },
    spec: { contact: 'e2e@example.org', ...spec, sliver: template },
  };
}

/** So long what is deleted may take on a machine with much else to do. */
const GONE_MS = 400_000;

/** A namespace with nothing in it: one that an earlier run left behind goes first. */
export async function freshNamespace(product: Product, name: string, labels: Record<string, string> = {}) {
  await dropNamespace(product, name);
  await product.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
}

/**
 * Deletes the namespace and waits until nothing of it is left. Ours go first: an old server's namespace controller looks again
 * only after pauses that grow, and takes a minute for what the operator takes away in seconds.
 */
export async function dropNamespace(product: Product, name: string): Promise<void> {
  await product.kubectl('delete', 'slices,resourcecapabilities', '--all', '-n', name, '--wait=false');
  const isEmpty = async (): Promise<boolean> => {
    const left = await Promise.all(
      [Resources.Slice, Resources.ResourceCapability].map((one) => product.list(one, name)),
    );
    return left.flat().length === 0;
  };
  await until(`nothing of slices to be left in ${name}`, GONE_MS, isEmpty);
  await product.kubectl('delete', 'namespace', name, '--ignore-not-found', '--wait=false');
  await whenNoNamespace(product, name);
}

/** Its controller looks again after pauses that grow: kubectl itself would not wait so long. */
export const whenNoNamespace = (product: Product, name: string): Promise<void> =>
  until(`namespace ${name} to be gone`, GONE_MS, async () => {
    return (await product.get(Resources.Namespace, { name })) === undefined;
  });

export const readSlice = (product: Product, { metadata: { namespace, name } }: Slice): Promise<Slice | undefined> =>
  product.get<Slice>(Resources.Slice, { namespace, name });

/** A condition of the slice as it is now. */
export async function conditionOf(product: Product, slice: Slice, type: string): Promise<Condition | undefined> {
  return getCondition((await readSlice(product, slice))?.status?.conditions, type);
}

/** Waits until the present spec of the slice is Ready. */
export async function whenReady(product: Product, slice: Slice, timeoutMs = 240_000): Promise<void> {
  await whenCondition(product, slice, 'Ready', ({ status }) => status === 'True', timeoutMs);
}

/** Waits for a verdict over the spec as it is now; what it was last is in the error's text. */
export async function whenCondition(
  product: Product,
  slice: Slice,
  type: string,
  test: (condition: Condition) => boolean,
  timeoutMs = 240_000,
): Promise<Condition> {
  let last: Condition | undefined;
  const ask = async (): Promise<boolean> => {
    const now = await readSlice(product, slice);
    last = getCondition(now?.status?.conditions, type);
    return last !== undefined && last.observedGeneration === now?.metadata.generation && test(last);
  };
  const { namespace, name } = slice.metadata;
  await product
    .until(`${type} of slice ${namespace}/${name} to be as expected`, ask, timeoutMs)
    .catch((error: Error) => {
      throw new Error(`${error.message}: it is ${JSON.stringify(last)}`, { cause: error });
    });
  return last!;
}

export async function rcapsOf(product: Product, { metadata }: Slice): Promise<ResourceCapability[]> {
  const all = await product.list<ResourceCapability>(Resources.ResourceCapability, metadata.namespace);
  const own = all.filter((one) => one.metadata.labels?.[LABEL_SLICE] === metadata.name);
  return own.sort((a, b) => (a.spec.nodeName < b.spec.nodeName ? -1 : 1));
}

export async function podsOf(product: Product, { metadata }: Slice): Promise<Pod[]> {
  const all = await product.list<Pod>(Resources.Pod, metadata.namespace);
  return all.filter((one) => one.metadata.labels?.[LABEL_SLICE] === metadata.name);
}

/** Every right of the slice that has a pod, in order of the nodes' names. */
export async function sliversOf(product: Product, slice: Slice): Promise<Sliver[]> {
  const pods = new Map((await podsOf(product, slice)).map((pod) => [pod.metadata.name, pod]));
  return (await rcapsOf(product, slice)).flatMap((rcap): Sliver[] => {
    const pod = pods.get(rcap.metadata.name);
    return pod ? [{ node: rcap.spec.nodeName, rcap, pod }] : [];
  });
}

/** What to look for when the slivers are gone. */
export async function footprintsOf({ cluster }: Product, slivers: readonly Sliver[]): Promise<Footprint[]> {
  return await Promise.all(
    slivers.map(async ({ node, pod }) => {
      const address = pod.status!.podIP!;
      return { node, uid: pod.metadata.uid!, address, classId: (await addressesOf(cluster, node)).get(address) };
    }),
  );
}

export const uidsOf = (objects: readonly KubeObject[]): string[] => objects.map(({ metadata }) => metadata.uid!).sort();
