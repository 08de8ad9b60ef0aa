/** What the product's processes show at /metrics, with something in every family. */
import { Registry } from 'prom-client';
import { exposition } from '../../../kube/exposition.ts';
import { createMetrics } from '../../../kube/metrics.ts';
import { WorkQueue } from '../../../kube/workqueue.ts';
import { NO_BOOKS } from '../../../node-daemonset/admission/ledger.ts';
import { DROPS, type SliverCounters } from '../../../node-daemonset/bpf/kernel.ts';
import { createNodeMetrics } from '../../../node-daemonset/report/metrics.ts';
import { countLocal as countNodesRequests } from '../../../node-daemonset/local/metrics.ts';
import { planFailures, planFamilies, planLeftOut } from '../../../node-daemonset/usage/families.ts';
import { countLocal } from '../../../operator/local/metrics.ts';
import { measure } from '../../../operator/metrics.ts';
import type { Stores } from '../../../operator/stores.ts';
import { makeFacts, makeSliver } from '../../node-daemonset/desired.ts';

/** Both processes in one text, each family once. */
export async function exportedMetrics(): Promise<string> {
  const kube = createMetrics();
  kube.controller('slice', new WorkQueue());
  kube.onRequest('GET', 200);
  kube.setLeading('slice-operator', true);
  const empty = { list: () => [] };
  const stores = { slices: empty, capabilities: empty } as unknown as Stores;
  const operator = new Registry();
  measure(operator, stores, () => new Map());
  countLocal(operator);
  const node = new Registry();
  countNodesRequests(node);
  const metrics = createNodeMetrics(node);
  metrics.passed(1, false);
  metrics.decided('Granted', undefined);
  metrics.enforced('egress', 1, 0);
  metrics.books({ offered: NO_BOOKS, granted: NO_BOOKS, ahead: NO_BOOKS, free: NO_BOOKS });
  const texts = await Promise.all([kube.registry, operator, node].map((one) => one.metrics()));
  return texts.join('') + exposition([...planFamilies(usage()), planFailures(0), planLeftOut(0)]);
}

function usage(): Parameters<typeof planFamilies>[0] {
  const counters = { bytes: 1, packets: 1, drops: 1, backlog: 1 };
  const drops = Object.fromEntries(DROPS.map((reason) => [reason, 1])) as SliverCounters['drops'];
  const sliver = makeSliver('a', { memory: 1 });
  const row = { sliver, pod: 'a', cpu: { used: 1, throttled: 1 }, guarded: { packets: 1, bytes: 1, drops } };
  return {
    time: 0,
    slivers: [{ ...row, sent: [{ interface: 'eth0', by: 'Limited', ...counters }] }],
    lines: new Map([['eth0', new Map([[1, counters]])]]),
    facts: makeFacts(),
  };
}

/** Names of all series: of a histogram its buckets, its sum and its count. */
export async function exportedNames(): Promise<Set<string>> {
  return new Set((await exportedMetrics()).split('\n').flatMap((line) => /^([a-z_:]\w*)[{ ]/.exec(line)?.[1] ?? []));
}
