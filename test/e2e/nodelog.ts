/** What a node manager counts and logs. */
import { NAMESPACE as RELEASE } from '../chart/render.ts';
import { nodeAddress, nodeNumber } from '../cluster/config.ts';
import type { Product } from './product.ts';

/** How often admission decided so since the node manager started. */
export async function decisions(product: Product, node: string, event: string, reason: string): Promise<number> {
  const address = nodeAddress(product.cluster.index, nodeNumber(node));
  const answer = await fetch(`http://${address}:33081/metrics`, { signal: AbortSignal.timeout(30_000) });
  const series = `slice_node_decisions_total{event="${event}",reason="${reason}"} `;
  const line = (await answer.text()).split('\n').find((one) => one.startsWith(series));
  return line === undefined ? 0 : Number(line.slice(series.length));
}

/** The node manager's log since it started, one object a line. */
export async function logOf(product: Product, node: string): Promise<Record<string, unknown>[]> {
  const selector = ['-l', 'app.kubernetes.io/component=node', '--field-selector', `spec.nodeName=${node}`];
  const pod = await product.kubectl(
    'get',
    'pods',
    '-n',
    RELEASE,
    ...selector,
    '-o',
    'jsonpath={.items[0].metadata.name}',
  );
  const text = await product.kubectl('logs', '-n', RELEASE, pod, '-c', 'node-manager');
  return text
    .split('\n')
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
}
