/**
 * Long-running processes of the harness: started in the background, recorded by pid AND start time. A pid alone may have
 * been given to somebody else's process since; a pair never.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from './progress.ts';

export interface ProcessId {
  pid: number;
  /** Clock ticks between boot and start, field 22 of /proc/PID/stat. */
  startTime: string;
}

/**
 * The process's identity, or undefined when there is none with this pid or it is a zombie whose last thread has ended: a
 * leader is a zombie before its other threads have let go of their sockets.
 */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the program's name may hold blanks and brackets
    const ended = fields[0] === 'Z' && readdirSync(`/proc/${pid}/task`).length <= 1;
    return ended ? undefined : { pid, startTime: fields[19]! };
  } catch {
    return undefined;
  }
}

export const isAlive = (id: ProcessId | undefined): boolean =>
  id !== undefined && identify(id.pid)?.startTime === id.startTime;

const recordFile = (dir: string, name: string): string => join(dir, 'pids', name);

/** The recorded process of that name if it still runs. */
export function findProcess(dir: string, name: string): ProcessId | undefined {
  try {
    const id = JSON.parse(readFileSync(recordFile(dir, name), 'utf8')) as ProcessId;
    return isAlive(id) ? id : undefined;
  } catch {
    return undefined;
  }
}

export function recordedProcesses(dir: string): string[] {
  try {
    return readdirSync(join(dir, 'pids'));
  } catch {
    return [];
  }
}

/** Starts a process that outlives the harness, unless the recorded one still runs. Its output is appended to `log`. */
export function startProcess(dir: string, name: string, argv: readonly string[], log: string): ProcessId {
  const running = findProcess(dir, name);
  if (running !== undefined) return running;
  mkdirSync(join(dir, 'pids'), { recursive: true });
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, 'a');
  const child = spawn(argv[0]!, argv.slice(1), { detached: true, stdio: ['ignore', output, output] });
  closeSync(output);
  child.on('error', () => {}); // seen below: there is no pid
  child.unref();
  const id = child.pid === undefined ? undefined : identify(child.pid);
  if (id === undefined) throw new Error(`${name} could not be started: ${argv[0]}`);
  writeFileSync(recordFile(dir, name), JSON.stringify(id));
  return id;
}

/** Sends a signal to the very process; nothing happens when it is gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): void {
  if (isAlive(id)) process.kill(id.pid, signal);
}

/** Ends the recorded process and waits for its end. */
export async function endProcess(dir: string, name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  const id = findProcess(dir, name);
  if (id !== undefined) {
    signalProcess(id, signal);
    await until(`end of ${name} (pid ${id.pid})`, 60_000, () => !isAlive(id), undefined, 20);
  }
  rmSync(recordFile(dir, name), { force: true });
}

/** Direct children of a process, in the harness's own pid namespace. */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
