/** Our own processes in a cluster: the operator's and the node managers', switched off, on, or killed outright. */
import { NAMESPACE as RELEASE } from '../chart/render.ts';
import { runInNode } from '../cluster/node.ts';
import { until } from '../cluster/progress.ts';
import type { Product } from './product.ts';

const OPERATOR = 'deployment/slice-operator';

/** Resolves when just so many replicas run; at 0 when none of them lives any more. */
export async function scaleOperator(product: Product, replicas: number): Promise<void> {
  await product.kubectl('scale', OPERATOR, '-n', RELEASE, `--replicas=${replicas}`);
  const selector = 'app.kubernetes.io/component=operator';
  await until(
    `${replicas} replicas of the operator`,
    300_000,
    async () => {
      const ready = '{range .items[*]}{.status.containerStatuses[0].ready}{"\\n"}{end}';
      const pods = await product.kubectl('get', 'pods', '-n', RELEASE, '-l', selector, '-o', `jsonpath=${ready}`);
      return (
        pods
          .split('\n')
          .filter((line) => line !== '')
          .join() === Array(replicas).fill('true').join()
      );
    },
    undefined,
    500,
  );
}

export type Process = 'operator' | 'node-daemonset';

/** Pids of one of our processes in the node's own count. */
export async function findProcesses({ cluster }: Product, node: string, process: Process): Promise<string[]> {
  // pgrep has status 1 for none
  const argv = ['pgrep', '-f', `^node.* ${process}/main\\.ts`];
  return (await runInNode(cluster, node, argv).catch(() => '')).split('\n').filter((pid) => pid !== '');
}

/** Kills it outright; its kubelet starts it again. */
export async function killProcess(product: Product, node: string, process: Process): Promise<void> {
  const pids = await findProcesses(product, node, process);
  if (pids.length > 0) await runInNode(product.cluster, node, ['kill', '-KILL', ...pids]).catch(() => {});
}

/** Longer than a kubelet lets a container wait that was killed often, which is five minutes at most. */
const STARTED_AGAIN_MS = 400_000;

/** Resolves when a process other than these runs on the node; `meanwhile` is asked at each look. */
export async function whenAnother(
  product: Product,
  node: string,
  process: Process,
  before: readonly string[],
  meanwhile: () => Promise<void> | void = () => {},
): Promise<void> {
  const isAnother = async (): Promise<boolean> => {
    await meanwhile();
    const now = await findProcesses(product, node, process);
    return now.length > 0 && !now.some((pid) => before.includes(pid));
  };
  await until(`another ${process} on ${node}`, STARTED_AGAIN_MS, isAnother);
}
