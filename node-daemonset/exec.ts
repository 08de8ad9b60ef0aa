/** The one place where the product starts processes: argv and stdin, a deadline, bounded output, never a shell. */
import { spawn } from 'node:child_process';
import { cut } from '../crds/text.ts';

export interface RunOptions {
  /** Written to the process's stdin, which is then closed. */
  input?: string;
  /** After this the process is killed and the call rejects. Default 10 s. */
  timeoutMs?: number;
  /** Bytes kept of stdout and of stderr each; a process that writes more is killed. Default 16 MiB. */
  maxOutput?: number;
  signal?: AbortSignal;
}

export interface RunResult {
  stdout: string;
  stderr: string;
}

/** A process that could not be started, failed, wrote too much or took too long; `code` is null in all but the second. */
export class ExecError extends Error {
  override readonly name = 'ExecError';
  readonly argv: readonly string[];
  readonly code: number | null;
  readonly stderr: string;
  /** Of one that failed by itself. */
  readonly stdout: string;

  constructor(argv: readonly string[], code: number | null, stderr: string, what: string, stdout = '') {
    super(`"${argv.join(' ')}" ${what}${stderr.trim() && `: ${cut(stderr.trim(), 500)}`}`);
    this.argv = argv;
    this.code = code;
    this.stderr = stderr;
    this.stdout = stdout;
  }
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_OUTPUT = 16 * 1024 * 1024;

/** Runs a program to its end. Rejects with ExecError unless it exits with 0 within its bounds. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxOutput = DEFAULT_MAX_OUTPUT, signal } = options;
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    if (!program) throw new ExecError(argv, null, '', 'names no program');
    if (signal?.aborted) throw new ExecError(argv, null, '', 'was cancelled before it started');
    // Only what a tool needs to be found and to speak English: our own environment holds paths to credentials.
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let outSize = 0;
    let errSize = 0;
    let killed: string | undefined;
    const kill = (why: string): void => {
      killed ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => kill(`took longer than ${timeoutMs} ms and was killed`), timeoutMs);
    const onAbort = (): void => kill('was cancelled');
    signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      outSize += chunk.length;
      if (outSize > maxOutput) kill(`wrote more than ${maxOutput} bytes and was killed`);
      else out.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errSize += chunk.length;
      if (errSize > maxOutput) kill(`wrote more than ${maxOutput} bytes and was killed`);
      else err.push(chunk);
    });
    // A program may end without reading its input: its exit code says what matters, not our EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    child.once('error', (error) => {
      settle();
      reject(new ExecError(argv, null, '', `could not be started (${error.message})`));
    });
    child.once('close', (code, by) => {
      settle();
      const stderr = Buffer.concat(err).toString();
      const stdout = Buffer.concat(out).toString();
      if (killed) reject(new ExecError(argv, null, stderr, killed));
      else if (code === 0) resolve({ stdout, stderr });
      else {
        const what = code === null ? `was ended by ${by}` : `exited with ${code}`;
        reject(new ExecError(argv, code, stderr, what, stdout));
      }
    });
  });
}
