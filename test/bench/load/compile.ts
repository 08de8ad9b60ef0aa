/** Builds the load generators, small C programs beside this file, into a directory of the run's own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Programs {
  directory: string;
  path(name: 'burn' | 'flood'): string;
  remove(): void;
}

/** Needs gcc. Static, so that they run on any kernel that sees the directory. */
export function compilePrograms(): Programs {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  for (const name of ['burn', 'flood']) {
    const source = new URL(`${name}.c`, import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-pthread', '-o', join(directory, name), source]);
  }
  return {
    directory,
    path: (name) => join(directory, name),
    remove: () => rmSync(directory, { recursive: true }),
  };
}
