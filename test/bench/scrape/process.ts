/** A node manager's enforcers and its /metrics, in a network namespace: a line of JSON each request, a line each answer. */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { exposition } from '../../../kube/exposition.ts';
import { serveHealth, SHARED_MS } from '../../../kube/health.ts';
import { createMetrics } from '../../../kube/metrics.ts';
import { createCpuMeter } from '../../../node-daemonset/cpu/usage.ts';
import { createEgressEnforcer } from '../../../node-daemonset/egress/apply.ts';
import { readClassCounters } from '../../../node-daemonset/egress/netlink.ts';
import { createGuardEnforcer } from '../../../node-daemonset/guard/apply.ts';
import type { Desired } from '../../../node-daemonset/sliver.ts';
import { planFamilies } from '../../../node-daemonset/usage/families.ts';
import { createUsageReader } from '../../../node-daemonset/usage/usage.ts';

export type ScrapeRequest = { enforce: Desired } | { scrape: number };

export interface Scraped {
  /** ms of each, from the question to the last byte. */
  ms: number[];
  /** ms of CPU time a scrape, of the asking process too. */
  cpu: number;
  /** Series of slivers in one of them. */
  series: number;
  bytes: number;
}

const [prefix, directory] = process.argv.slice(2);
const guard = createGuardEnforcer({ prefix, directory: directory! });
const egress = createEgressEnforcer();
let desired: Desired | undefined;
let clock = 0;
const usage = createUsageReader({
  cpu: createCpuMeter({ prefix }),
  desired: () => desired,
  pods: () => [],
  lines: readClassCounters,
  guarded: guard.counters,
  // every scrape comes after what the last one read is stale
  now: () => (clock += 10_000),
});

async function scrape(times: number): Promise<Scraped> {
  const health = await serveHealth({
    host: '127.0.0.1',
    port: 0,
    registry: createMetrics().registry,
    ready: () => undefined,
    more: () => exposition(planFamilies(usage())),
  });
  // nobody can start tc
  process.env.PATH = '/nowhere';
  try {
    const ms: number[] = [];
    let text = '';
    for (let i = 0; i < times; i++) {
      // else it would be given what the one before was given
      await pause(SHARED_MS + 50);
      const began = performance.now();
      text = await (await fetch(`http://127.0.0.1:${health.port}/metrics`)).text();
      ms.push(performance.now() - began);
    }
    const before = process.cpuUsage();
    await pause(SHARED_MS + 50);
    await (await fetch(`http://127.0.0.1:${health.port}/metrics`)).text();
    const { user, system } = process.cpuUsage(before);
    return {
      ms,
      cpu: (user + system) / 1000,
      series: text.match(/^slice_sliver_/gm)?.length ?? 0,
      bytes: text.length,
    };
  } finally {
    await health.close();
  }
}

async function answer(request: ScrapeRequest): Promise<unknown> {
  if ('scrape' in request) return await scrape(request.scrape);
  desired = request.enforce;
  const signal = AbortSignal.timeout(60_000);
  const reports = [await egress.enforce(desired, signal), await guard.enforce(desired, signal)];
  return { problems: reports.flatMap(({ problems }) => problems) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line) as ScrapeRequest).catch((error: Error) => ({ error: error.stack }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
