/** The cluster's network: one bridge on the machine, one namespace with one cable to it for the control plane and each node. */
import { existsSync } from 'node:fs';
import { run, succeeds } from './command.ts';
import {
  bridgeLink,
  cableLink,
  controlAddress,
  controlNamespace,
  hostAddress,
  MAX_NODES,
  nodeAddress,
  nodeName,
  nodeNamespace,
  podSubnet,
  PREFIX_LENGTH,
  SERVICE_NETWORK,
  type Cluster,
} from './config.ts';

export const namespacePath = (namespace: string): string => `/run/netns/${namespace}`;
const linkExists = (link: string): boolean => existsSync(`/sys/class/net/${link}`);

/** Many commands of ip(8) in one process. */
const ipBatch = (lines: readonly string[], namespace?: string): Promise<string> =>
  run(['ip', ...(namespace === undefined ? [] : ['-n', namespace]), '-batch', '-'], { input: `${lines.join('\n')}\n` });

export async function createBridge({ index }: Cluster): Promise<void> {
  const bridge = bridgeLink(index);
  if (linkExists(bridge)) return;
  await ipBatch([
    `link add ${bridge} type bridge`,
    `addr add ${hostAddress(index)}/${PREFIX_LENGTH} dev ${bridge}`,
    `link set ${bridge} up`,
  ]);
}

/** A namespace with eth0 on the cluster's bridge and a default route to the machine. */
async function createNamespace(index: number, namespace: string, n: number, address: string): Promise<void> {
  const cable = cableLink(index, n);
  await run(['ip', 'netns', 'add', namespace]);
  await ipBatch([
    `link add ${cable} type veth peer name eth0 netns ${namespace}`,
    `link set ${cable} master ${bridgeLink(index)} up`,
  ]);
  await ipBatch(
    [
      'link set lo up',
      `addr add ${address}/${PREFIX_LENGTH} dev eth0`,
      'link set eth0 up',
      `route add default via ${hostAddress(index)}`,
    ],
    namespace,
  );
}

/** Ways to the pods of all nodes that there may ever be, but for the node's own, which its CNI bridge makes. */
const podRoutes = (index: number, but?: number): string[] =>
  Array.from({ length: MAX_NODES }, (_, i) => i + 1)
    .filter((n) => n !== but)
    .map((n) => `route replace ${podSubnet(index, n)} via ${nodeAddress(index, n)}`);

/** The control plane reaches services (webhooks) through the first node's kube-proxy. */
export async function createControlNamespace({ name, index }: Cluster): Promise<void> {
  const namespace = controlNamespace(name);
  if (existsSync(namespacePath(namespace))) return;
  await createNamespace(index, namespace, 0, controlAddress(index));
  await ipBatch([...podRoutes(index), `route replace ${SERVICE_NETWORK} via ${nodeAddress(index, 1)}`], namespace);
}

export async function createNodeNamespace({ name, index }: Cluster, n: number): Promise<void> {
  const namespace = nodeNamespace(name, nodeName(n));
  if (existsSync(namespacePath(namespace))) return;
  await createNamespace(index, namespace, n, nodeAddress(index, n));
  await ipBatch(podRoutes(index, n), namespace);
  await run(['ip', 'netns', 'exec', namespace, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  // the machine itself reaches the pods too, which makes tests short
  await ipBatch([`route replace ${podSubnet(index, n)} via ${nodeAddress(index, n)} dev ${bridgeLink(index)}`]);
}

/** Whatever the namespace held goes with it: cable, routes, rules, queueing disciplines. */
export async function deleteNamespace(namespace: string, index: number, n: number): Promise<void> {
  if (existsSync(namespacePath(namespace))) await run(['ip', 'netns', 'del', namespace]);
  if (n > 0) await succeeds(['ip', 'route', 'del', podSubnet(index, n)]);
  // the namespace lives on for an instant while the kernel takes it apart: a new cable of the same name must not meet the old
  await succeeds(['ip', 'link', 'del', cableLink(index, n)]);
}

export async function deleteNetwork({ name, index }: Cluster): Promise<void> {
  for (let n = 1; n <= MAX_NODES; n++) await deleteNamespace(nodeNamespace(name, nodeName(n)), index, n);
  await deleteNamespace(controlNamespace(name), index, 0);
  if (linkExists(bridgeLink(index))) await run(['ip', 'link', 'del', bridgeLink(index)]);
}
