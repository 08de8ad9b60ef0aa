/** `bench -- audit`: what the record of flows costs, and what it loses. */
import { measureDrain } from './audit/drain.ts';
import type { Bench } from './report.ts';

export const bench: Bench = {
  about:
    'drain of 50,000 flows, a sliver that scans, flows against the counters of the line, 1 minute; root, clang, gcc',

  async run(report, progress) {
    await measureDrain(report, progress);
  },
};
