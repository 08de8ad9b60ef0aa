/**
 * With the kubelet's systemd driver, pods' cgroups are systemd's: a daemon-reload writes its own idea of their weights.
 * So systemd is told, for as long as it runs, in addition to the file that takes effect at once.
 */
import { basename } from 'node:path';
import { run } from '../exec.ts';
import type { CpuWrite } from './plan.ts';

const UNIT = /^[A-Za-z0-9_-]+\.slice$/;
/** systemd's word for no limit: the largest 64-bit number. */
const INFINITY = '18446744073709551615';

/** The busctl call that makes a planned write systemd's own. Throws for a directory that is no unit. */
export function systemdCall(write: CpuWrite, path: string, version: 1 | 2): string[] {
  const unit = basename(path);
  if (!UNIT.test(unit)) throw new Error(`${unit} is no slice unit of systemd`);
  const properties: string[][] = [];
  if (write.weight !== undefined) {
    properties.push([version === 1 ? 'CPUShares' : 'CPUWeight', 't', String(write.weight)]);
  }
  if (write.quota) {
    const { max, period } = write.quota;
    const perSecond = max === undefined ? INFINITY : String(Math.round((max * 1e6) / period));
    properties.push(['CPUQuotaPerSecUSec', 't', perSecond], ['CPUQuotaPeriodUSec', 't', String(period)]);
  }
  const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
  const runtime = 'true';
  const call = ['SetUnitProperties', 'sba(sv)', unit, runtime, String(properties.length), ...properties.flat()];
  return ['busctl', '--system', 'call', ...manager, ...call];
}

/** Tells systemd. Rejects with ExecError where there is no busctl or no system bus. */
export async function tellSystemd(write: CpuWrite, path: string, version: 1 | 2, signal?: AbortSignal): Promise<void> {
  await run(systemdCall(write, path, version), { timeoutMs: 5000, ...(signal && { signal }) });
}
