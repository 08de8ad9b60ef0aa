/** One node: a set of namespaces and cgroups with containerd, kubelet and kube-proxy in it. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus as machineCpuInfo, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createNodeCgroups, freeNodeRoot, removeCgroups } from './cgroups.ts';
import { run, succeeds } from './command.ts';
import { nodeDir, nodeName, nodeNamespace, nodeNumber, podSubnet, prefix, type Cluster } from './config.ts';
import { kubectl } from './controlplane.ts';
import { nodeCpus } from './cpus.ts';
import { createNodeNamespace, deleteNodeNamespace, namespacePath } from './network.ts';
import { nodeFiles, type NodeComponent } from './nodefiles.ts';
import {
  childrenOf,
  endProcess,
  findProcess,
  identify,
  isAlive,
  signalProcess,
  startProcess,
  type ProcessId,
} from './processes.ts';
import { until } from './progress.ts';

const NODE_SH = fileURLToPath(new URL('node.sh', import.meta.url));

const cgroupOf = (cluster: Cluster, node: string): string => join(prefix(cluster.name), node);
const nodeLog = (cluster: Cluster, node: string, name: string): string =>
  join(nodeDir(cluster, node), 'log', `${name}.log`);

/** The end of the log of a node's component, for an error's text. */
function nodeLogTail(cluster: Cluster, node: string, name: string): string {
  const log = nodeLog(cluster, node, name);
  return existsSync(log) ? `${log}:\n${readFileSync(log, 'utf8').trimEnd().split('\n').slice(-8).join('\n')}` : '';
}

/** Pid 1 of the node, as this machine counts; undefined when the node is off. */
export function nodeInit(cluster: Cluster, node: string): number | undefined {
  const supervisor = findProcess(cluster.dir, node);
  return supervisor === undefined ? undefined : childrenOf(supervisor.pid)[0];
}

/** Runs a program inside the node: its namespaces, root, no cgroup of its own. */
export function runInNode(cluster: Cluster, node: string, argv: readonly string[], input?: string): Promise<string> {
  const init = nodeInit(cluster, node);
  if (init === undefined) throw new Error(`${node} of cluster ${cluster.name} is off`);
  const enter = ['nsenter', `--target=${init}`, '--mount', '--uts', '--net', '--pid', '--cgroup', '--'];
  return run([...enter, ...argv], { input, timeoutMs: 180_000 });
}

/** Namespaces, cgroups and the first process: a machine that is switched on, with nothing started yet. */
export async function bootNode(cluster: Cluster, node: string): Promise<void> {
  if (nodeInit(cluster, node) !== undefined) return;
  const n = nodeNumber(node);
  const dir = nodeDir(cluster, node);
  const machine = { cpus: machineCpuInfo().length, memory: totalmem() };
  for (const [name, text] of Object.entries(nodeFiles(cluster, n, machine))) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  rmSync(join(dir, 'booted'), { force: true });
  writeFileSync(
    join(dir, 'cgroups'),
    createNodeCgroups(prefix(cluster.name), node, nodeCpus(cluster.cpus, cluster.cpusPerNode, n)),
  );
  await createNodeNamespace(cluster, n);
  const enter = ['nsenter', `--net=${namespacePath(nodeNamespace(cluster.name, node))}`];
  const supervisor = startProcess(cluster.dir, node, [...enter, NODE_SH, dir, node], nodeLog(cluster, node, 'boot'));
  await until(
    `${node} booted`,
    120_000,
    () => existsSync(join(dir, 'booted')),
    () => nodeLogTail(cluster, node, 'boot'),
    20,
  );
  freeNodeRoot(prefix(cluster.name), node, supervisor.pid, nodeInit(cluster, node)!);
}

/** The running component of a node, found among the children of its pid 1 by the program's path. */
export function findInNode(cluster: Cluster, node: string, component: NodeComponent): ProcessId | undefined {
  const init = nodeInit(cluster, node);
  if (init === undefined) return undefined;
  const program = readFileSync(join(nodeDir(cluster, node), `${component}.argv`), 'utf8').split('\n')[0];
  for (const pid of childrenOf(init)) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] === program) return identify(pid);
    } catch {
      // ended between the two reads
    }
  }
  return undefined;
}

/** Starts a component unless it runs; containerd is waited for, because the kubelet gives up without it. */
export async function startInNode(cluster: Cluster, node: string, component: NodeComponent): Promise<void> {
  if (findInNode(cluster, node, component) !== undefined) return;
  if (nodeInit(cluster, node) === undefined) throw new Error(`${node} of cluster ${cluster.name} is off`);
  appendFileSync(join(nodeDir(cluster, node), 'start'), `${component}\n`);
  const tail = () => nodeLogTail(cluster, node, component);
  await until(
    `${component} on ${node} started`,
    60_000,
    () => findInNode(cluster, node, component) !== undefined,
    tail,
    20,
  );
  if (component !== 'containerd') return;
  await until(`containerd on ${node} answers`, 120_000, () => containerdAnswers(cluster, node), tail);
}

function containerdAnswers(cluster: Cluster, node: string): Promise<boolean> {
  return succeeds(['nsenter', `--target=${nodeInit(cluster, node)}`, '--mount', '--', 'ctr', 'version']);
}

/** Sends a signal to a node's component; SIGKILL and SIGTERM wait for its end. */
export async function killInNode(
  cluster: Cluster,
  node: string,
  component: NodeComponent,
  signal: NodeJS.Signals,
): Promise<void> {
  const id = findInNode(cluster, node, component);
  if (id === undefined) return;
  signalProcess(id, signal);
  if (signal === 'SIGKILL' || signal === 'SIGTERM') {
    await until(`end of ${component} on ${node}`, 60_000, () => !isAlive(id), undefined, 20);
  }
}

/** kubelet and kube-proxy of a booted node; resolves when the node is Ready. */
export async function joinNode(cluster: Cluster, node: string): Promise<void> {
  await startInNode(cluster, node, 'containerd');
  await startInNode(cluster, node, 'kubelet');
  const tail = () => nodeLogTail(cluster, node, 'kubelet');
  await until(
    `${node} registered`,
    180_000,
    () =>
      kubectl(cluster, ['get', 'node', node]).then(
        () => true,
        () => false,
      ),
    tail,
  );
  await startInNode(cluster, node, 'kube-proxy'); // not earlier: it looks for its Node object once, then waits ever longer
  const subnet = podSubnet(cluster.index, nodeNumber(node));
  await kubectl(cluster, [
    'patch',
    'node',
    node,
    '-p',
    JSON.stringify({ spec: { podCIDR: subnet, podCIDRs: [subnet] } }),
  ]);
  await until(`${node} Ready`, 240_000, () => isReady(cluster, node), tail);
}

/** Ready, and said so since its last boot: the API server shows a node as Ready for a while after a power cut. */
async function isReady(cluster: Cluster, node: string): Promise<boolean> {
  const fields = '{.status.nodeInfo.bootID} {.status.conditions[?(@.type=="Ready")].status}';
  const status = await kubectl(cluster, ['get', 'node', node, '-o', `jsonpath=${fields}`]).catch(() => '');
  const bootId = readFileSync(join(nodeDir(cluster, node), 'sysctl/kernel.random.boot_id'), 'utf8').trim();
  return status === `${bootId} True`;
}

/** Like a power cut: everything in the node dies at once, its kernel state is gone, its disk stays. */
export async function powerOff(cluster: Cluster, node: string): Promise<void> {
  await endProcess(cluster.dir, node);
  await removeCgroups(cgroupOf(cluster, node));
  await removeCgroups(`${cgroupOf(cluster, node)}-supervisor`);
  await deleteNodeNamespace(cluster, nodeNumber(node));
}

export const nodeNames = (cluster: Cluster): string[] =>
  [1, 2, 3].map(nodeName).filter((node) => existsSync(join(nodeDir(cluster, node), 'cgroups')));
