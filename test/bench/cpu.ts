/** `bench -- cpu`: what slivers and other pods get of a node on which everything is busy, on cgroup v1 and on v2. */
import { existsSync } from 'node:fs';
import { DEFAULT_DURATIONS, measurePromises } from './cpu/promises.ts';
import { measureInUml } from './cpu/uml.ts';
import { compilePrograms } from './load/compile.ts';
import type { Bench } from './report.ts';

const HAS_V1 = existsSync('/sys/fs/cgroup/cpu/cpu.shares') || existsSync('/sys/fs/cgroup/cpu/cgroup.procs');

export const bench: Bench = {
  about:
    'shares, ceiling and requests of CPU on v1 and v2, 15 minutes of the whole machine; root, gcc, user-mode-linux',

  async run(report, progress) {
    const stop = new AbortController();
    const onSignal = (): void => stop.abort(new Error('interrupted'));
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    const programs = compilePrograms();
    const common = { burn: programs.path('burn'), signal: stop.signal };
    try {
      // One CPU each; the two ways in which kubelets turn requests into weights.
      const machines = (['linear', 'quadratic'] as const).map((conversion) => {
        const where = `v2 (${conversion} weights)`;
        return measureInUml(where, { ...common, conversion }, DEFAULT_DURATIONS, report, progress);
      });
      const failed = (await Promise.allSettled(machines)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
      const here = { ...common, prefix: 'sob', conversion: 'quadratic' as const };
      await measurePromises(HAS_V1 ? 'v1' : 'v2 (this machine)', here, DEFAULT_DURATIONS, report, progress);
    } finally {
      programs.remove();
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    }
  },
};
