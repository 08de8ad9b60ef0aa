/** Runs a program to its end: no shell, a deadline, and an error that says what the program said. */
import { spawn } from 'node:child_process';

export interface CommandOptions {
  input?: string;
  cwd?: string;
  /** Added to the harness's own environment. */
  env?: Record<string, string>;
  /** Milliseconds; two minutes unless told. */
  timeoutMs?: number;
}

/** How much of a program's output is kept: enough for a list of objects, bounded for a program gone wild. */
const MAX_OUTPUT = 64 * 1024 * 1024;
const SHOWN_OF_ERRORS = 2000;

export class CommandError extends Error {
  readonly code: number | null;
  readonly stderr: string;

  constructor(argv: readonly string[], code: number | null, stderr: string, reason: string) {
    super(
      `${argv.join(' ').slice(0, 300)}: ${reason}${stderr === '' ? '' : `\n${stderr.slice(-SHOWN_OF_ERRORS).trim()}`}`,
    );
    this.code = code;
    this.stderr = stderr;
  }
}

/** Resolves to standard output; rejects with a CommandError on any exit status but 0. */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, fail) => {
    const timeoutMs = options.timeoutMs ?? 120_000;
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    // not spawn's own timeout: that one keeps the harness waiting after a program that could not be started
    const deadline = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const reject = (error: CommandError) => {
      clearTimeout(deadline);
      fail(error);
    };
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.length > MAX_OUTPUT) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-MAX_OUTPUT / 64)));
    child.on('error', (error) => reject(new CommandError(argv, null, '', error.message)));
    child.on('close', (code, signal) => {
      clearTimeout(deadline);
      if (code === 0) resolve(stdout);
      else
        reject(
          new CommandError(
            argv,
            code,
            stderr,
            code === null ? `ended by ${signal} (deadline ${timeoutMs} ms)` : `exit status ${code}`,
          ),
        );
    });
    child.stdin.on('error', () => {}); // a program may end without reading all of its input
    child.stdin.end(options.input ?? '');
  });
}

/** Whether the program ends with status 0; for questions whose answer may be no. */
export const succeeds = (argv: readonly string[], options: CommandOptions = {}): Promise<boolean> =>
  run(argv, options).then(
    () => true,
    () => false,
  );
