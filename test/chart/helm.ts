/** Which engine renders and installs the chart here: helm where there is one, else our own renderer. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, succeeds } from '../cluster/command.ts';
import { ensurePackages } from '../cluster/packages.ts';

export const CHART = fileURLToPath(new URL('../../charts/slice-operator', import.meta.url));
const SOURCE = fileURLToPath(new URL('render', import.meta.url));

const cache = (): string => process.env.SLICE_CACHE ?? join(homedir(), '.cache/slice-operator');

let helm: Promise<boolean> | undefined;

/** Asked once: nobody installs helm meanwhile. */
export function hasHelm(): Promise<boolean> {
  helm ??= succeeds(['helm', 'version', '--short']);
  return helm;
}

/** The harness's kubectl where it built one, else the machine's. */
export function kubectlProgram(): string {
  const own = join(cache(), 'cluster/bin/kubectl');
  return existsSync(own) ? own : 'kubectl';
}

/**
 * The renderer, built once for each state of its source from Debian's Go libraries.
 * @throws naming the packages that are missing and can't be installed from here
 */
export async function rendererProgram(): Promise<string> {
  const digest = createHash('sha256')
    .update(readFileSync(join(SOURCE, 'main.go')))
    .digest('hex');
  const directory = join(cache(), 'bin');
  const program = join(directory, `render-chart-${digest.slice(0, 12)}`);
  if (existsSync(program)) return program;
  await ensurePackages(['chart']);
  mkdirSync(directory, { recursive: true });
  // by rename: two builds at a time must not run a half of each other's
  const partial = `${program}.${process.pid}`;
  const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(cache(), 'gocache') };
  await run(['go', 'build', '-o', partial, '.'], { cwd: SOURCE, env, timeoutMs: 300_000 });
  renameSync(partial, program);
  return program;
}
