/** What a cluster is called, where it lives on disk and which addresses it has. Pure: no file is read here. */
import { join, resolve } from 'node:path';

/** Clusters that may stand side by side: each has an index, and everything that could collide is derived from it. */
export const MAX_CLUSTERS = 10;
/** Nodes of one cluster. */
export const MAX_NODES = 3;

/** What `up` decided once and every later command reads from `cluster.json`. */
export interface Cluster {
  name: string;
  /** 0..MAX_CLUSTERS-1, no two clusters of a machine share one. */
  index: number;
  /** CPUs of this machine that the nodes may be given, in order. */
  cpus: number[];
  /** How many of them each node gets for itself; its allocatable CPU. */
  cpusPerNode: number;
  /** Directory of kube-apiserver, kubelet, ... */
  binaries: string;
  /** Minor version of these binaries: 20 for Kubernetes 1.20. */
  minor: number;
  /** Directory with everything of this cluster; `down` removes it. */
  dir: string;
  /** Directory of what outlives clusters: binaries, image layers. */
  cache: string;
}

const NAME = /^[a-z][a-z0-9]{0,14}$/;

/** Throws unless the name can be part of a network namespace's, a cgroup's and a directory's name. */
export function checkClusterName(name: string): void {
  if (!NAME.test(name)) throw new Error(`CLUSTER=${name}: a name is 1 to 15 of a-z and 0-9 and begins with a letter`);
}

/** Where things are kept that outlive clusters, unless SLICE_CACHE says otherwise. Never below /var, which nodes have of their own. */
export function cacheDir(home: string, asked?: string): string {
  const cache = resolve(asked ?? join(home, '.cache/slice-operator'));
  if (/^\/(var|run|sys|proc|etc)(\/|$)/.test(cache))
    throw new Error(`SLICE_CACHE=${cache}: nodes have directories of their own there`);
  return cache;
}

export const clustersDir = (cache: string): string => join(cache, 'clusters');
export const clusterDir = (cache: string, name: string): string => join(clustersDir(cache), name);
export const adminKubeconfig = (cluster: Pick<Cluster, 'dir'>): string => join(cluster.dir, 'admin.kubeconfig');
export const pkiDir = (cluster: Cluster): string => join(cluster.dir, 'pki');
export const logDir = (cluster: Cluster): string => join(cluster.dir, 'log');
export const nodeDir = (cluster: Cluster, node: string): string => join(cluster.dir, node);

export const nodeName = (n: number): string => `node${n}`;

/** The number in a node's name; throws for a name that no node of ours can have. */
export function nodeNumber(node: string): number {
  const n = Number(/^node(\d)$/.exec(node)?.[1]);
  if (!(n >= 1 && n <= MAX_NODES)) throw new Error(`no node ${node}: nodes are node1 to node${MAX_NODES}`);
  return n;
}

/** Of a cluster's cgroups; also what the network namespaces' names begin with. */
export const prefix = (name: string): string => `slice-${name}`;
export const nodeNamespace = (name: string, node: string): string => `${prefix(name)}-${node}`;
/** The control plane has a network namespace of its own, so that no port of the machine is taken. The cluster's bridge is in there. */
export const controlNamespace = (name: string): string => `${prefix(name)}-control`;

// Nodes and pods have addresses of both families; services have IPv4's, which is enough for what is tested.

/** The machine's own cable into the cluster, and all that a cluster adds to the machine's network namespace. */
export const hostLink = (index: number): string => `slicenet${index}`;

export const PREFIX_LENGTH = 24;
/** The machine itself in the cluster's network. */
export const hostAddress = (index: number): string => `10.${210 + index}.0.1`;
export const controlAddress = (index: number): string => `10.${210 + index}.0.2`;
export const nodeAddress = (index: number, n: number): string => `10.${210 + index}.0.${10 + n}`;
export const PREFIX_LENGTH_6 = 64;
export const hostAddress6 = (index: number): string => `fd51:1ce:${210 + index}::1`;
export const controlAddress6 = (index: number): string => `fd51:1ce:${210 + index}::2`;
export const nodeAddress6 = (index: number, n: number): string => `fd51:1ce:${210 + index}::${10 + n}`;
export const podSubnet6 = (index: number, n: number): string => `fd51:1ce:${240 + index}:${n}::/64`;
/**
 * Hardware address of a node (1..) or the control plane (0). Given, so that a node keeps it when it is switched off and on, and
 * the bridge when ports come and go: otherwise it takes the lowest of its ports', and the neighbours' caches are wrong for a while.
 */
export const hardwareAddress = (index: number, n: number): string => `02:51:1c:e0:0${index}:0${n}`;
export const podNetwork = (index: number): string => `10.${240 + index}.0.0/16`;
export const podSubnet = (index: number, n: number): string => `10.${240 + index}.${n}.0/24`;

/** Seen only inside the nodes and the control plane, so all clusters have the same. */
export const SERVICE_NETWORK = '10.96.0.0/16';
/** Where pods are told to ask for names. Nobody answers, but a kubelet without it complains about every pod. */
export const DNS_SERVICE_ADDRESS = '10.96.0.10';
/** Where pods find the API server. */
export const API_SERVICE_ADDRESS = '10.96.0.1';

export const apiServerUrl = (index: number): string => `https://${controlAddress(index)}:6443`;
