/** The configuration files of one node: containerd, CNI, kubelet, kube-proxy. Pure: text out of a description. */
import { join } from 'node:path';
import {
  DNS_SERVICE_ADDRESS,
  MAX_NODES,
  nodeAddress,
  nodeDir,
  nodeName,
  pkiDir,
  podNetwork,
  podSubnet,
  podSubnet6,
  type Cluster,
} from './config.ts';
import { kubeconfigOf } from './keys.ts';

export const PAUSE_IMAGE = 'registry.local/pause:1';

/** What the machine has; a node offers its part of it. */
export interface Machine {
  cpus: number;
  /** Bytes. */
  memory: number;
}

/** In the order in which they start. */
export const NODE_COMPONENTS = ['containerd', 'kubelet', 'kube-proxy'] as const;
export type NodeComponent = (typeof NODE_COMPONENTS)[number];

const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

const containerd = (dir: string): string => `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true  # a machine without CAP_SYS_RESOURCE cannot give sandboxes their -998
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`;

const cni = (subnets: readonly string[]): object => ({
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: subnets.map((subnet) => [{ subnet }]),
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      },
    },
    { type: 'bandwidth', capabilities: { bandwidth: true } },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

/**
 * Allocatable CPU is the node's own CPUs, whatever the kubelet believes the machine has: the rest is "reserved". Memory is
 * divided among as many nodes as there may be, so that no two promise the same byte.
 */
export function kubeletConfig(cluster: Cluster, dir: string, machine: Machine): object {
  const reservedMemory = Math.floor((machine.memory * (MAX_NODES - 1)) / MAX_NODES / 2 ** 20);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pkiDir(cluster), 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    cgroupDriver: 'cgroupfs',
    ...(cluster.minor >= 31 ? { failCgroupV1: false } : {}),
    ...(cluster.minor >= 27 ? { containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}` } : {}),
    failSwapOn: false,
    clusterDomain: 'cluster.local',
    clusterDNS: [DNS_SERVICE_ADDRESS],
    resolvConf: `${dir}/resolv.conf`,
    kubeReserved: { cpu: String(machine.cpus - cluster.cpusPerNode), memory: `${reservedMemory}Mi` },
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100, // images came by hand: nobody could pull them again
    fileCheckFrequency: '5s',
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '2s',
    nodeLeaseDurationSeconds: 12,
  };
}

const proxyConfig = (cluster: Cluster, node: string): object => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clientConnection: { kubeconfig: kubeconfigOf(cluster, 'kube-proxy') },
  hostnameOverride: node,
  mode: 'iptables',
  clusterCIDR: podNetwork(cluster.index),
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' }, // the machine's, not the node's
  iptables: { minSyncPeriod: '100ms', syncPeriod: '30s' },
});

function commandLines(cluster: Cluster, n: number): Record<NodeComponent, string[]> {
  const node = nodeName(n);
  const dir = nodeDir(cluster, node);
  const socket = `unix://${CONTAINERD_SOCKET}`;
  return {
    containerd: ['containerd', '-c', `${dir}/containerd.toml`],
    kubelet: [
      join(cluster.binaries, 'kubelet'),
      `--config=${dir}/kubelet.json`,
      `--kubeconfig=${kubeconfigOf(cluster, node)}`,
      `--hostname-override=${node}`,
      `--node-ip=${nodeAddress(cluster.index, n)}`,
      `--node-labels=topology.kubernetes.io/zone=zone${n}`,
      ...(cluster.minor < 27 ? ['--container-runtime=remote', `--container-runtime-endpoint=${socket}`] : []),
      '--v=2',
    ],
    'kube-proxy': [join(cluster.binaries, 'kube-proxy'), `--config=${dir}/kube-proxy.json`],
  };
}

/** Files by name relative to the node's directory. */
export function nodeFiles(cluster: Cluster, n: number, machine: Machine): Record<string, string> {
  const dir = nodeDir(cluster, nodeName(n));
  const files: Record<string, string> = {
    'containerd.toml': containerd(dir),
    'cni/10-pods.conflist': JSON.stringify(cni([podSubnet(cluster.index, n), podSubnet6(cluster.index, n)]), null, 2),
    'kubelet.json': JSON.stringify(kubeletConfig(cluster, dir, machine), null, 2),
    'kube-proxy.json': JSON.stringify(proxyConfig(cluster, nodeName(n)), null, 2),
    'resolv.conf': '', // for pods in the node's network namespace
  };
  for (const [component, argv] of Object.entries(commandLines(cluster, n))) {
    files[`${component}.argv`] = argv.map((argument) => `${argument}\n`).join('');
  }
  return files;
}
