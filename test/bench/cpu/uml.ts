/** The same measurement on cgroup v2, in User-Mode Linux. */
import type { Conversion } from '../../../node-daemonset/cpu/requests.ts';
import { runInUml } from '../../kernel/uml.ts';
import type { Measurement, Report } from '../report.ts';
import type { Durations } from './promises.ts';

/** What booting takes, and what a machine busy with other things adds. */
const GRACE_S = 120;

/** Reports every row as soon as it is measured. Rejects where the measurement did not come to its end. */
export async function measureInUml(
  where: string,
  { conversion, burn, signal }: { conversion: Conversion; burn: string; signal: AbortSignal },
  { short, long }: Durations,
  report: Report,
  progress: (what: string) => void,
): Promise<void> {
  const program = new URL('inside.ts', import.meta.url).pathname;
  const argv = [process.execPath, program, conversion, String(short), String(long), burn, where];
  const onLine = (line: string): void => {
    const said = parse(line);
    if (typeof said === 'string') progress(said);
    else if (said) report(said);
  };
  const timeoutMs = (4 * short + 2 * long + GRACE_S) * 1000;
  const { status, lines } = await runInUml(argv, { timeoutMs, onLine, signal });
  if (status !== 0) throw new Error(`${where} failed: ${lines.slice(-15).join('\n')}`);
}

/** The console also says what the kernel has to say. */
function parse(line: string): Measurement | string | undefined {
  try {
    return JSON.parse(line) as Measurement | string;
  } catch {
    return undefined;
  }
}
