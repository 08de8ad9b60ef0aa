/** A machine with cgroup v2 alone: User-Mode Linux, booted in two seconds on this machine's own files, which it only reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** Debian's package user-mode-linux. Its kernel has one CPU and every controller on v2. */
const KERNEL = '/usr/bin/linux.uml';
/** What the machine says when its program has ended, and with which exit status. */
const ENDED = /^program ended with (\d+)$/;

export interface UmlOptions {
  /** After this the machine is switched off and the call rejects. */
  timeoutMs: number;
  onLine?: (line: string) => void;
  signal?: AbortSignal;
}

/** Whether `runInUml` can work here. */
export function hasUml(): boolean {
  return existsSync(KERNEL);
}

/**
 * Runs a program, root and alone on its machine, from the same directory as this process; its only place to write is its
 * TMPDIR. Returns its exit status and the console's lines. No words with a single quote.
 */
export async function runInUml(
  argv: readonly string[],
  { timeoutMs, onLine, signal }: UmlOptions,
): Promise<{ status: number; lines: string[] }> {
  if (!hasUml()) throw new Error(`${KERNEL} is missing: install user-mode-linux`);
  signal?.throwIfAborted();
  const directory = mkdtempSync(join(tmpdir(), 'uml-'));
  const init = join(directory, 'init');
  writeFileSync(init, initScript(argv), { mode: 0o755 });
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`];
  const consoles = ['con=null', 'con0=fd:0,fd:1', 'quiet'];
  // A process group of its own: the kernel and the processes that run on it end together.
  const kernel = spawn(KERNEL, ['mem=512M', ...root, ...consoles, `uml_dir=${directory}/`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const closed = once(kernel, 'close');
  const kill = (): void => {
    try {
      process.kill(-kernel.pid!, 'SIGKILL');
    } catch {
      // Every process of it has ended.
    }
  };
  const timer = setTimeout(kill, timeoutMs);
  signal?.addEventListener('abort', kill);
  const lines: string[] = [];
  let status: number | undefined;
  try {
    for await (const line of createInterface({ input: kernel.stdout })) {
      const ended = ENDED.exec(line)?.[1];
      if (ended !== undefined) status = Number(ended);
      lines.push(line);
      onLine?.(line);
    }
    await closed;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
    kill();
    rmSync(directory, { recursive: true });
  }
  if (status === undefined) throw new Error(`the machine stopped too early: ${lines.slice(-15).join('\n')}`);
  return { status, lines };
}

function initScript(argv: readonly string[]): string {
  const command = argv.map((word) => `'${word}'`).join(' ');
  return `#!/bin/sh
export PATH=${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/mnt NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmp /mnt
cd '${process.cwd()}'
${command} 2>&1
echo "program ended with $?"
echo o > /proc/sysrq-trigger
sleep 60
`;
}
