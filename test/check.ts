/** `make check`: everything that can be judged without running the product, side by side, each step's output only if it fails. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const STEPS: readonly [string, string[]][] = [
  ['types', ['tsc', '--noEmit']],
  ['lint', ['oxlint', '--type-aware', '--deny-warnings']],
  ['format', ['oxfmt', '--check']],
  ['generated types', ['node', 'crds/generate.ts', '--check']],
  ['generated plugin', ['node', 'test/operator/kubectl/bundle.ts', '--check']],
  ['layout', ['mocha', 'test/layout.test.ts']],
];

/** A step that hangs must fail, not hang whoever waits. */
const STEP_DEADLINE_MS = 120_000;

function run(argv: readonly string[]): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(argv[0]!, argv.slice(1), { cwd: ROOT, timeout: STEP_DEADLINE_MS });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ ok: false, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}

const started = performance.now();
const failed = await Promise.all(
  STEPS.map(async ([name, argv]) => {
    const { ok, output } = await run(argv);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
    return ok ? undefined : `\n--- ${name}: ${argv.join(' ')}\n${output}`;
  }),
);
for (const output of failed.filter((one) => one !== undefined)) console.error(output);
if (failed.some((one) => one !== undefined)) process.exitCode = 1;
