/** What the node manager is told by its environment; everything else it finds out itself. */

export interface NodeConfig {
  nodeName: string;
  /** The namespace of the release: where the heartbeat is. */
  namespace: string;
  /** Ledger, grant log, what is to be put back: on a disk that outlives a reboot. */
  stateDirectory: string;
  /** Sliver directories; shown in pods by bind mounts. */
  runDirectory: string;
  kubeletDirectory: string;
  /** The owner's policy; it may be missing. */
  policyFile: string;
  /** Where this node's cgroups begin, seen from here. */
  cgroupPrefix: string;
  kubeconfig: string | undefined;
  /** Address and port of /healthz, /readyz and /metrics. */
  healthAddress: string;
  healthPort: number;
  /** An address by which others reach the node. */
  nodeAddress: string | undefined;
  /** Whether a page for strangers runs beside the node manager; where it listens, the owner says. */
  auditPage: boolean;
  /** Whether a process runs beside the node manager that publishes its sensors; where, the owner says. */
  sensorPage: boolean;
  logLevel: string;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

/** Throws an Error that names every variable that is missing or wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): NodeConfig {
  const wrong: string[] = [];
  const path = (name: string, otherwise: string): string => {
    const value = env[name] || otherwise;
    if (!/^\/[A-Za-z0-9._/-]+$/.test(value) || value.includes('..')) wrong.push(`${name} must be an absolute path`);
    return value.replace(/\/+$/, '');
  };
  const required = (name: string, what: string): string => {
    const value = env[name] ?? '';
    if (!/^[0-9a-z]([0-9a-z.-]{0,251}[0-9a-z])?$/.test(value)) wrong.push(`${name} must be ${what}`);
    return value;
  };
  const config: NodeConfig = {
    nodeName: required('NODE_NAME', "the node's name: set it from spec.nodeName"),
    namespace: required('NAMESPACE', 'the namespace of the release: set it from metadata.namespace'),
    stateDirectory: path('STATE_DIR', '/var/lib/slice-operator'),
    runDirectory: path('RUN_DIR', '/run/slice-operator'),
    kubeletDirectory: path('KUBELET_DIR', '/var/lib/kubelet'),
    policyFile: path('POLICY_FILE', '/etc/slice-operator/policy.yaml'),
    cgroupPrefix: env.CGROUP_PREFIX ?? '',
    kubeconfig: env.KUBECONFIG || undefined,
    healthAddress: env.HEALTH_ADDRESS || '127.0.0.1',
    healthPort: Number(env.HEALTH_PORT || 33081),
    nodeAddress: env.HOST_IP || undefined,
    auditPage: env.AUDIT_PAGE === 'true',
    sensorPage: env.SENSOR_PAGE === 'true',
    logLevel: env.LOG_LEVEL || 'info',
  };
  const { healthPort } = config;
  if (!Number.isInteger(healthPort) || healthPort < 0 || healthPort > 65535) wrong.push('HEALTH_PORT must be a port');
  if (!LEVELS.includes(config.logLevel)) wrong.push(`LOG_LEVEL must be one of ${LEVELS.join(', ')}`);
  if (!/^[A-Za-z0-9._/-]*$/.test(config.cgroupPrefix) || config.cgroupPrefix.includes('..')) {
    wrong.push('CGROUP_PREFIX must be a relative path');
  }
  if (wrong.length > 0) throw new Error(`the environment is not complete: ${wrong.join('; ')}`);
  return config;
}

/** The user and group of the pages' processes: the image's. */
export const PAGE_GROUP = 65_532;

/** The files and sockets of a configuration. */
export function pathsOf({ stateDirectory, runDirectory, kubeletDirectory }: NodeConfig): {
  checkpoint: string;
  grantLog: string;
  cpuOriginals: string;
  reservedPorts: string;
  /** What the owner says on the node itself. */
  orders: string;
  /** Bytes sent today. */
  budget: string;
  /** Flows of earlier hours. */
  flows: string;
  slivers: string;
  /** Where the page asks; its directory alone is shown to it. */
  auditSocket: string;
  /** Where the page of the sensors asks, likewise. */
  sensorSocket: string;
  /** Pins of the kernel's programs: a BPF file system is mounted here. */
  bpf: string;
  /** What slivers find beside their socket; on the file system of their directories. */
  clients: string;
  /** Raw sockets that slivers hold; gone with a reboot, as they are. */
  rawSockets: string;
  csiSocket: string;
  registrationSocket: string;
} {
  return {
    checkpoint: `${stateDirectory}/checkpoint.json`,
    grantLog: `${stateDirectory}/grants.jsonl`,
    cpuOriginals: `${stateDirectory}/cpu-originals.json`,
    reservedPorts: `${stateDirectory}/reserved-ports.json`,
    orders: `${stateDirectory}/owner`,
    budget: `${stateDirectory}/budget.json`,
    flows: `${stateDirectory}/flows`,
    slivers: `${runDirectory}/slivers`,
    auditSocket: `${runDirectory}/audit/query.sock`,
    sensorSocket: `${runDirectory}/sensor-page/query.sock`,
    bpf: `${runDirectory}/bpf`,
    clients: `${runDirectory}/clients`,
    rawSockets: `${runDirectory}/raw-sockets.json`,
    csiSocket: `${kubeletDirectory}/plugins/slice-operator.io/csi.sock`,
    registrationSocket: `${kubeletDirectory}/plugins_registry/slice-operator.io-reg.sock`,
  };
}
