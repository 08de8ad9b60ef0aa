/**
 * `make test`: every suite, one after the other, each with what it needs in place. `node test/main.ts unit kernel` runs only
 * those. Nothing is skipped silently: a suite that cannot run here fails and says what is missing.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Suite {
  name: string;
  /** What it takes: nothing, an API server, a kernel and root, or a whole cluster. */
  needs: string;
  specs: string[];
  /** The most one test may take; a bound against hanging, not a promise of speed. */
  timeoutMs: number;
}

const SUITES: readonly Suite[] = [
  {
    name: 'unit',
    needs: 'nothing',
    specs: ['test/*.test.ts', 'test/{crds,kube,operator,node-daemonset,chart,harness}/**/*.test.ts'],
    timeoutMs: 60_000,
  },
  { name: 'apiserver', needs: 'a real API server', specs: ['test/apiserver/**/*.test.ts'], timeoutMs: 300_000 },
  { name: 'kernel', needs: 'root, tc, nft and cgroups', specs: ['test/kernel/**/*.test.ts'], timeoutMs: 120_000 },
  { name: 'e2e', needs: 'a real cluster', specs: ['test/e2e/**/*.test.ts'], timeoutMs: 900_000 },
];

interface Counts {
  passed: number;
  failed: number;
}

interface Outcome extends Counts {
  /** Each failure's beginning, as mocha tells it. */
  failures: string[];
}

/** Lines of each failure that are told again at the very end: who reads a long log begins there. */
const TOLD_AGAIN = 10;

function runSuite(suite: Suite): Promise<Outcome> {
  console.log(`\n=== ${suite.name} (needs ${suite.needs})`);
  return new Promise((resolve) => {
    const argv = ['--reporter', 'spec', '--timeout', String(suite.timeoutMs), ...suite.specs];
    const child = spawn('mocha', argv, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      output += chunk;
    });
    child.on('error', (error) => {
      console.error(`${suite.name}: mocha could not be started: ${error.message}`);
      resolve({ passed: 0, failed: 1, failures: [`  ${suite.name}: mocha could not be started`] });
    });
    child.on('close', (code) => {
      const passed = count(output, 'passing');
      const failed = count(output, 'failing');
      // a crash between two tests, or no test at all, is a failure that no counter shows
      const uncounted = failed === 0 && (code !== 0 || passed === 0);
      const failures = uncounted
        ? [`  ${suite.name}: mocha ended with ${code}, and ${passed} passed`]
        : failuresIn(output);
      resolve({ passed, failed: uncounted ? 1 : failed, failures });
    });
  });
}

function count(output: string, word: string): number {
  return Number(output.match(new RegExp(`^\\s+(\\d+) ${word}`, 'm'))?.[1] ?? 0);
}

function failuresIn(output: string): string[] {
  const [, told = ''] = output.split(/^ +\d+ failing$/m);
  const each = told.split(/^(?= {2}\d+\) )/m).slice(1);
  return each.map((text) => text.split('\n').slice(0, TOLD_AGAIN).join('\n').trimEnd());
}

/** Debian's packages and Kubernetes' binaries, which the suites beyond `unit` need. */
function prepare(): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('node', ['test/cluster/main.ts', 'prepare'], { cwd: ROOT, stdio: 'inherit' });
    child.on('error', () => resolve(false));
    child.on('close', (code) => resolve(code === 0));
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`no suite ${unknown.join(', ')}: there are ${SUITES.map((suite) => suite.name).join(', ')}`);
  process.exit(2);
}
const suites = SUITES.filter((suite) => wanted.length === 0 || wanted.includes(suite.name));
if (suites.some((suite) => suite.name !== 'unit') && !(await prepare())) {
  console.error('what the tests need could not be installed: see above');
  process.exit(1);
}
const total: Outcome = { passed: 0, failed: 0, failures: [] };
for (const suite of suites) {
  const { passed, failed, failures } = await runSuite(suite);
  console.log(`${suite.name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
  total.failures.push(...failures);
}
for (const failure of total.failures) console.log(`\n${failure}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
if (total.failed > 0) process.exitCode = 1;
