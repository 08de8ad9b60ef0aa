/**
 * The cluster's network: a bridge in the control plane's namespace, and a cable to it from each node and from the machine. The
 * bridge is not the machine's own, so that the machine's firewall has no say in what nodes send each other.
 */
import { existsSync } from 'node:fs';
import { run, succeeds } from './command.ts';
import {
  controlAddress,
  controlAddress6,
  controlNamespace,
  DNS_SERVICE_ADDRESS,
  hardwareAddress,
  hostAddress,
  hostAddress6,
  hostLink,
  MAX_NODES,
  nodeAddress,
  nodeAddress6,
  nodeName,
  nodeNamespace,
  podSubnet,
  podSubnet6,
  PREFIX_LENGTH,
  PREFIX_LENGTH_6,
  SERVICE_NETWORK,
  type Cluster,
} from './config.ts';

const BRIDGE = 'bridge';
const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];

export const namespacePath = (namespace: string): string => `/run/netns/${namespace}`;

/** Many commands of ip(8) in one process. */
const ipBatch = (lines: readonly string[], namespace?: string): Promise<string> =>
  run(['ip', ...(namespace === undefined ? [] : ['-n', namespace]), '-batch', '-'], { input: `${lines.join('\n')}\n` });

/** Ways to the pods of all nodes that there may ever be, but for the node's own, which its CNI bridge makes. */
const podRoutes = (index: number, but?: number): string[] =>
  Array.from({ length: MAX_NODES }, (_, i) => i + 1)
    .filter((n) => n !== but)
    .flatMap((n) => [
      `route replace ${podSubnet(index, n)} via ${nodeAddress(index, n)}`,
      `route replace ${podSubnet6(index, n)} via ${nodeAddress6(index, n)}`,
    ]);

const defaultRoutes = (index: number): string[] => [
  `route add default via ${hostAddress(index)}`,
  `route add default via ${hostAddress6(index)}`,
];

/** An address of each family; IPv6's is not looked for twice on the line, which takes seconds. */
const addresses = (device: string, v4: string, v6: string): string[] => [
  `addr add ${v4}/${PREFIX_LENGTH} dev ${device}`,
  `addr add ${v6}/${PREFIX_LENGTH_6} dev ${device} nodad`,
];

/** The control plane reaches services (webhooks) through the first node's kube-proxy; the machine reaches pods, which makes tests short. */
export async function createControlNamespace({ name, index }: Cluster): Promise<void> {
  const namespace = controlNamespace(name);
  if (existsSync(namespacePath(namespace))) return;
  await run(['ip', 'netns', 'add', namespace]);
  const link = hostLink(index);
  await ipBatch([
    `link add ${link} type veth peer name machine netns ${namespace}`,
    ...addresses(link, hostAddress(index), hostAddress6(index)),
    `link set ${link} up`,
    ...podRoutes(index),
  ]);
  await ipBatch(
    [
      'link set lo up',
      `link add ${BRIDGE} address ${hardwareAddress(index, 0)} type bridge`,
      ...addresses(BRIDGE, controlAddress(index), controlAddress6(index)),
      `link set ${BRIDGE} up`,
      `link set machine master ${BRIDGE} up`,
      ...defaultRoutes(index),
      ...podRoutes(index),
      `route replace ${SERVICE_NETWORK} via ${nodeAddress(index, 1)}`,
    ],
    namespace,
  );
}

/** A namespace whose eth0 is the node's one way out. */
export async function createNodeNamespace({ name, index }: Cluster, n: number): Promise<void> {
  const node = nodeName(n);
  const namespace = nodeNamespace(name, node);
  if (existsSync(namespacePath(namespace))) return;
  await run(['ip', 'netns', 'add', namespace]);
  await ipBatch(
    [
      `link add ${node} type veth peer name eth0 address ${hardwareAddress(index, n)} netns ${namespace}`,
      `link set ${node} master ${BRIDGE} up`,
    ],
    controlNamespace(name),
  );
  await ipBatch(
    [
      'link set lo up',
      ...addresses('eth0', nodeAddress(index, n), nodeAddress6(index, n)),
      'link set eth0 up',
      ...defaultRoutes(index),
      ...podRoutes(index, n),
      `route add unreachable ${DNS_SERVICE_ADDRESS}`, // so that asking for a name fails at once
    ],
    namespace,
  );
  await run(['ip', 'netns', 'exec', namespace, 'sysctl', '-qw', ...FORWARDING]);
}

/** Whatever the namespace held goes with it: links, routes, rules, queueing disciplines. */
async function deleteNamespace(namespace: string): Promise<void> {
  if (existsSync(namespacePath(namespace))) await run(['ip', 'netns', 'del', namespace]);
}

export async function deleteNodeNamespace({ name }: Cluster, n: number): Promise<void> {
  await deleteNamespace(nodeNamespace(name, nodeName(n)));
  // the kernel takes a namespace apart a little later: a new cable of the same name must not meet the old
  await succeeds(['ip', '-n', controlNamespace(name), 'link', 'del', nodeName(n)]);
}

export async function deleteNetwork(cluster: Cluster): Promise<void> {
  for (let n = 1; n <= MAX_NODES; n++) await deleteNodeNamespace(cluster, n);
  await deleteNamespace(controlNamespace(cluster.name));
  await succeeds(['ip', 'link', 'del', hostLink(cluster.index)]); // and the routes to the pods with it
}
