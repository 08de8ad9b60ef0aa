/** The same measurement on cgroup v2: in User-Mode Linux, booted on this machine's own files, which it only reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Conversion } from '../../../node-daemonset/cpu/requests.ts';
import type { Measurement, Report } from '../report.ts';
import type { Durations } from './promises.ts';

/** Debian's package user-mode-linux. Its kernel has one CPU and every controller on v2. */
const KERNEL = '/usr/bin/linux.uml';
/** What booting takes, and what a machine busy with other things adds. */
const GRACE_S = 120;

/** Boots, measures, powers off. The kernel and its processes are one process group, which ends with this call. */
export async function measureInUml(
  where: string,
  { conversion, burn, signal }: { conversion: Conversion; burn: string; signal: AbortSignal },
  durations: Durations,
  report: Report,
  progress: (what: string) => void,
): Promise<void> {
  if (!existsSync(KERNEL)) throw new Error(`${KERNEL} is missing: install user-mode-linux`);
  signal.throwIfAborted();
  const directory = mkdtempSync(join(tmpdir(), 'bench-uml-'));
  const init = join(directory, 'init');
  writeFileSync(init, initScript(['', conversion, String(durations.short), String(durations.long), burn, where]), {
    mode: 0o755,
  });
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`];
  const consoles = ['con=null', 'con0=fd:0,fd:1', 'quiet'];
  const kernel = spawn(KERNEL, ['mem=512M', ...root, ...consoles, `uml_dir=${directory}/`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = once(kernel, 'close');
  const kill = (): void => {
    try {
      process.kill(-kernel.pid!, 'SIGKILL');
    } catch {
      // Every process of it has ended.
    }
  };
  const timer = setTimeout(kill, (4 * durations.short + 2 * durations.long + GRACE_S) * 1000);
  signal.addEventListener('abort', kill);
  const rest: string[] = [];
  let done = false;
  try {
    for await (const line of createInterface({ input: kernel.stdout })) {
      const said = parse(line);
      if (typeof said === 'string') progress(said);
      else if (said && 'done' in said) done = true;
      else if (said) report(said);
      else rest.push(line);
    }
    await ended;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    kill();
    rmSync(directory, { recursive: true });
  }
  if (!done) throw new Error(`${where} ended before all was measured: ${rest.slice(-15).join('\n')}`);
}

/** The one process of that machine: mounts what it writes to, measures, and switches the machine off. */
function initScript(args: readonly string[]): string {
  const program = new URL('inside.ts', import.meta.url).pathname;
  const command = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ');
  return `#!/bin/sh
export PATH=${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/mnt NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmp /mnt
${command} 2>&1
echo o > /proc/sysrq-trigger
sleep 60
`;
}

function parse(line: string): Measurement | { done: true } | string | undefined {
  try {
    return JSON.parse(line) as Measurement | { done: true } | string;
  } catch {
    return undefined;
  }
}
