/** What it takes a node manager to tell Prometheus of its slivers: classes, cgroups and programs are real. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { GuardedNode } from '../../kernel/guarded.ts';
import { hostSliver } from '../../kernel/host-sliver.ts';
import { makeDesired } from '../../node-daemonset/desired.ts';
import { percentile } from '../percentile.ts';
import type { Report } from '../report.ts';
import type { Scraped } from './process.ts';

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url));
const SIZES = [10, 1000] as const;
const SCRAPES = 50;
/** A node with 1000 slivers must not notice that it is looked at. */
const MOST_MS = 50;

/** As passes do: what failed is tried again, for a kernel makes room for so much only when it is asked. */
async function enforce(node: GuardedNode, slivers: Sliver[]): Promise<void> {
  const desired = makeDesired(slivers, { lines: [{ interface: 'upl0', rate: 1e9 }] });
  for (let left = 5; ; left--) {
    try {
      const { problems } = await node.enforce(desired);
      if (problems.length > 0) throw new Error(JSON.stringify(problems.slice(0, 5)));
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(500);
    }
  }
}

export async function measureScrape(report: Report, progress: (what: string) => void): Promise<void> {
  const node = new GuardedNode();
  try {
    progress('1000 pods');
    for (let n = 1; n <= Math.max(...SIZES); n++) node.addPod(`s${n}`);
    node.start({ program: PROGRAM });
    for (const size of SIZES) {
      progress(`${size} slivers`);
      const slivers = Array.from({ length: size }, (_, i) => hostSliver(`s${i + 1}`, i + 1));
      await enforce(node, slivers);
      const { ms, cpu, series, bytes } = await node.request<Scraped>({ scrape: SCRAPES });
      if (series < size * 11) throw new Error(`only ${series} series of ${size} slivers`);
      const note = `${series} series, ${Math.round(bytes / 1024)} KiB`;
      report({
        name: `scrape of ${size} slivers, p50`,
        value: percentile(ms, 50),
        unit: 'ms',
        bar: { max: MOST_MS },
        note,
      });
      report({ name: `scrape of ${size} slivers, CPU time of both ends`, value: cpu, unit: 'ms', note });
      report({ name: `scrape of ${size} slivers, p99`, value: percentile(ms, 99), unit: 'ms', note });
    }
  } finally {
    await node.remove();
  }
}
