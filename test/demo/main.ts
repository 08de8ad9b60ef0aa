/**
 * `make demo`: a cluster, the images, the chart, the examples, and three greedy slices on every node; then a table of what
 * each sliver was promised and what the kernel gives it. The cluster stays up; `make down` takes everything away.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseQuantity } from '../../crds/quantity.ts';
import { alignColumns } from '../../node-daemonset/report/table.ts';
import { kubectlProgram } from '../chart/helm.ts';
import { installChart } from '../chart/install.ts';
import { NAMESPACE as RELEASE_NAMESPACE } from '../chart/render.ts';
import { run } from '../cluster/command.ts';
import { say, step, until } from '../cluster/progress.ts';
import { chooseProvider, fromEnvironment } from '../cluster/providers.ts';
import { greedySlices, NAMESPACE, ownersPolicy, sinkPod } from './contention.ts';
import { type Manager, measure, rowsOf, shortfall } from './measure.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
const MEASURE_SECONDS = 10;
const READY_TIMEOUT_MS = 180_000;

const provider = await chooseProvider(fromEnvironment(process.env));

await step('everything that is needed is installed', () => provider.prepare());
await step('the cluster is up', () => provider.up());
const kubeconfig = provider.kubeconfig();
const [product, workload] = await step('the images are in every node', () => provider.load());
const [repository, tag] = splitImage(product!);
const kubectl = [kubectlProgram(), '--kubeconfig', kubeconfig];
// three slices of one namespace: 600 shares a node
const values = { image: { repository, tag }, sites: { shares: 600 } };
await step('the chart is installed and runs', () =>
  installChart({ kubeconfig, values, rolloutTimeoutMs: READY_TIMEOUT_MS }),
);

await step('the examples are applied', async () => {
  const text = readFileSync(join(EXAMPLES, 'minimal.yaml'), 'utf8');
  await apply(text.replaceAll('debian:bookworm-slim', workload!));
  await apply(JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }));
});
const managers = await findManagers();
await step("the nodes' owner lets one namespace have 600 shares", async () => {
  await run([...kubectl, 'wait', '--for=condition=Ready', 'slicenodes', '--all', '--timeout=60s']);
  for (const { node } of managers) await apply(JSON.stringify(ownersPolicy(node)));
});
const sinks = await step('a sink runs on every node', startSinks);
await step('the slices are ready', async () => {
  for (const slice of greedySlices(sinks, workload!)) await apply(JSON.stringify(slice));
  await run([...kubectl, 'wait', '--for=condition=Ready', 'slices', '--all', '-A', '--timeout=120s'], {
    timeoutMs: READY_TIMEOUT_MS,
  });
});
await new Promise((wait) => setTimeout(wait, 3_000));
const { measured, busy } = await step(`measured for ${MEASURE_SECONDS} s, every sliver wanting all it can get`, () =>
  measure(kubectl, managers, MEASURE_SECONDS),
);

console.log(`\n${alignColumns(rowsOf(measured))}`);
const short = shortfall(measured, busy, cpus().length);
if (short) console.log(`${short}\n`);
console.log(
  `Each sliver of ${NAMESPACE} wants all the CPU and all the bandwidth of its node. What is promised is what it`,
);
console.log('gets at least; what is left is shared in proportion to the promises. Now try:\n');
console.log(`  export KUBECONFIG=${kubeconfig}`);
console.log(`  kubectl get slices,rcap,sln -A -o wide`);
console.log(`  kubectl describe slice -n ${NAMESPACE} large`);
console.log(`  kubectl explain slice.spec.resources.egress`);
console.log(
  '\nTheir namespace has 600 shares of each node and uses them all. More is refused, and the refusal says why; what was',
);
console.log('granted stays. Less is granted, and replaces the pods one by one:\n');
for (const shares of [250, 80]) {
  const patch = `{"spec":{"resources":{"cpu":{"shares":${shares}}}}}`;
  console.log(`  kubectl patch slice -n ${NAMESPACE} small --type merge -p '${patch}'`);
  console.log(`  kubectl describe slice -n ${NAMESPACE} small`);
}
console.log(`\nThe nodes pull no images: in what you apply, write ${workload} for debian:bookworm-slim. At last:\n`);
console.log('  make down      # takes everything away');

/** `registry/name:tag` in its two parts. */
function splitImage(image: string): [string, string] {
  const colon = image.lastIndexOf(':');
  return [image.slice(0, colon), image.slice(colon + 1)];
}

async function apply(manifest: string): Promise<void> {
  await run([...kubectl, 'apply', '--server-side', '--force-conflicts', '-f', '-'], { input: manifest });
}

interface List<T> {
  items: T[];
}

interface PodInfo {
  metadata: { name: string; labels?: Record<string, string> };
  spec: { nodeName: string };
  status: { podIP?: string; phase: string };
}

async function get<T>(...argv: string[]): Promise<T[]> {
  return (JSON.parse(await run([...kubectl, 'get', ...argv, '-o', 'json'])) as List<T>).items;
}

async function findManagers(): Promise<Manager[]> {
  const pods = await get<PodInfo>('pods', '-n', RELEASE_NAMESPACE, '-l', 'app.kubernetes.io/component=node');
  const nodes = await get<{ metadata: { name: string }; status: { allocatable: { cpu: string } } }>('nodes');
  return pods.map(({ metadata, spec }) => {
    const node = nodes.find((one) => one.metadata.name === spec.nodeName);
    return {
      node: spec.nodeName,
      pod: metadata.name,
      namespace: RELEASE_NAMESPACE,
      cores: parseQuantity(node?.status.allocatable.cpu ?? 1),
    };
  });
}

/** node -> address of the sink on another node; a single node sends to itself, and shows no egress. */
async function startSinks(): Promise<Map<string, string>> {
  const nodes = managers.map(({ node }) => node).sort();
  for (const node of nodes) await apply(JSON.stringify(sinkPod(node, product!)));
  let pods: PodInfo[] = [];
  await until('the sinks to run', READY_TIMEOUT_MS, async () => {
    pods = await get<PodInfo>('pods', '-n', NAMESPACE, '-l', 'app=sink');
    return pods.filter(({ status }) => status.phase === 'Running' && status.podIP).length === nodes.length;
  });
  if (nodes.length < 2) say('one node: nothing leaves it, so no egress is shown');
  const address = new Map(pods.map(({ spec, status }) => [spec.nodeName, status.podIP!]));
  return new Map(nodes.map((node, index) => [node, address.get(nodes[(index + 1) % nodes.length]!)!]));
}
