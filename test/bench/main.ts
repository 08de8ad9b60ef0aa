/**
 * `npm run -s bench -- NAME...`: one JSON object a row on stdout, progress on stderr. Exit status 1: a bar was missed or a
 * benchmark failed; 2: there is no benchmark of that name.
 */
import type { Bench } from './report.ts';
import { toRow } from './report.ts';

const BENCHES: Record<string, () => Promise<{ bench: Bench }>> = {
  cpu: () => import('./cpu.ts'),
  egress: () => import('./egress.ts'),
  packet: () => import('./packet.ts'),
  audit: () => import('./audit.ts'),
  acquire: () => import('./acquire.ts'),
  slice: () => import('./slice.ts'),
  sensors: () => import('./sensors.ts'),
  ledger: () => import('./ledger.ts'),
};

async function runBench(name: string): Promise<boolean> {
  const { bench } = await BENCHES[name]!();
  let passed = true;
  const started = performance.now();
  const progress = (what: string): void => {
    console.error(`${name} ${Math.round((performance.now() - started) / 1000)} s: ${what}`);
  };
  try {
    await bench.run((measurement) => {
      const row = toRow(name, measurement);
      passed &&= row.ok;
      console.log(JSON.stringify(row));
    }, progress);
  } catch (error) {
    console.error(`${name} failed:`, error);
    return false;
  }
  return passed;
}

const names = process.argv.slice(2);
if (names.length === 0 || names.some((name) => !Object.hasOwn(BENCHES, name))) {
  console.error('usage: npm run -s bench -- NAME...');
  for (const [name, load] of Object.entries(BENCHES))
    console.error(`  ${name.padEnd(8)} ${(await load()).bench.about}`);
  process.exitCode = 2;
} else {
  for (const name of names) {
    if (!(await runBench(name))) process.exitCode = 1;
  }
}
