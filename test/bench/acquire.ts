/** `bench -- acquire`: from creating an rcap to reading that its node granted it, on a real API server with real managers. */
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import { isTrue } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { startInformer } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import { Resources } from '../../kube/resources.ts';
import { type Product, startProduct } from '../e2e/product.ts';
import { percentile } from './percentile.ts';
import type { Bench, Report } from './report.ts';

const ROUNDS = 200;
const NAMESPACE = 'acquire';
/** The paper's figure for these RPCs is 150 ms. */
const P50_MS = 50;
const P99_MS = 250;

function capability(index: number): ResourceCapability {
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: { name: `right-${index}`, namespace: NAMESPACE, labels: { [LABEL_NODE]: 'node1' } },
    spec: { nodeName: 'node1', contact: 'bench@example.org', resources: { cpu: { shares: 1 } } },
  };
}

/** Creates one right after the other, each when the one before was granted and released. */
async function acquire({ client }: Product, progress: (what: string) => void): Promise<number[]> {
  const waiting = new Map<string, () => void>();
  const informer = startInformer<ResourceCapability>({
    client,
    resource: Resources.ResourceCapability,
    namespace: NAMESPACE,
    log: silentLog(),
    onChange(_key, after) {
      if (after && isTrue(after.status?.conditions, 'Granted')) waiting.get(after.metadata.name)?.();
    },
  });
  await informer.whenSynced();
  const times: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    const right = capability(index);
    const granted = new Promise<void>((resolve) => waiting.set(right.metadata.name, resolve));
    const started = performance.now();
    await client.create(right);
    await granted;
    times.push(performance.now() - started);
    await client.remove(Resources.ResourceCapability, { namespace: NAMESPACE, name: right.metadata.name });
    // at the pace of people and controllers, not of a flood: a node manager makes a few passes a second
    await new Promise((resolve) => setTimeout(resolve, 200 + (index % 10) * 20));
    if (index % 50 === 49) progress(`${index + 1} of ${ROUNDS}`);
  }
  await informer.stop();
  return times;
}

export const bench: Bench = {
  about: 'rcap created -> Granted; needs root and a cluster of its own',
  async run(report: Report, progress) {
    const product = await startProduct({ name: 'bench', nodes: 1 });
    try {
      await product.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
      const times = await acquire(product, progress);
      report({ name: 'created -> Granted, p50', value: percentile(times, 50), unit: 'ms', bar: { max: P50_MS } });
      report({ name: 'created -> Granted, p99', value: percentile(times, 99), unit: 'ms', bar: { max: P99_MS } });
    } finally {
      await product.close();
    }
  },
};
