/**
 * The plugin as one file, for people who have no checkout: `node test/operator/kubectl/bundle.ts` writes
 * operator/kubectl/kubectl-slice from the modules there, without their types. Each module becomes a function of its own, so that
 * names in one are nobody else's.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MAIN = join(ROOT, 'operator/kubectl/main.ts');
export const BUNDLE = join(ROOT, 'operator/kubectl/kubectl-slice');

const HEADER = `#!/usr/bin/env node
// kubectl slice: put this file into a directory of your PATH, as kubectl-slice. See docs/kubectl.md. Apache-2.0.
// Made from operator/kubectl/*.ts by test/operator/kubectl/bundle.ts; edit those.
`;

const IMPORT = /^import (?:\{([^}]*)\}|\w+) from '([^']+)';\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|const|class) (\w+))/gm;

/** The text of the bundle. */
export function bundle(): string {
  const modules: string[] = [];
  const builtins = new Map<string, Set<string>>();
  const seen = new Set<string>();

  /** Its code, with what it imports of ours before it. */
  const visit = (path: string): string => {
    const named: string[] = [];
    const whole = readFileSync(path, 'utf8')
      .replace(/^import type [^;]+;\n/gm, '')
      .replace(/\btype \w+,?\s?(?=[^;]*\} from)/g, '');
    const code = stripTypeScriptTypes(whole).replace(IMPORT, (_, names = '', from: string) => {
      const list = names
        .split(',')
        .map((one: string) => one.trim().replace(' as ', ': '))
        .filter(Boolean) as string[];
      if (from.startsWith('node:')) {
        const known = builtins.get(from) ?? new Set();
        for (const one of list) known.add(one.replace(': ', ' as '));
        builtins.set(from, known);
        return '';
      }
      const target = join(dirname(path), from);
      if (!seen.has(target)) {
        seen.add(target);
        modules.push(wrapped(target, visit(target)));
      }
      if (list.length > 0) named.push(`const { ${list.join(', ')} } = ${nameOf(target)};`);
      return '';
    });
    return `${named.join('\n')}\n${code.trim()}`;
  };
  const main = visit(MAIN);
  const imports = [...builtins].map(([from, names]) => `import { ${[...names].join(', ')} } from '${from}';`);
  return formatted([HEADER, ...imports, '', ...modules, main, ''].join('\n'));
}

function wrapped(path: string, code: string): string {
  const exported: string[] = [];
  const body = code.replace(EXPORT, (_, name: string) => {
    exported.push(name);
    return '';
  });
  return `// ${path.slice(ROOT.length).replace(/^\//, '')}\nconst ${nameOf(path)} = (() => {\n${body}\nreturn { ${exported.join(', ')} };\n})();\n`;
}

function nameOf(path: string): string {
  return `$${basename(path, '.ts')}`;
}

function formatted(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'kubectl-slice-'));
  try {
    const file = join(directory, 'bundle.mjs');
    writeFileSync(file, text);
    execFileSync(join(ROOT, 'node_modules/.bin/oxfmt'), ['--config', join(ROOT, '.oxfmtrc.json'), file], {
      timeout: 60_000,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = bundle();
  if (!process.argv.includes('--check')) writeFileSync(BUNDLE, text, { mode: 0o755 });
  else if (readFileSync(BUNDLE, 'utf8') !== text) {
    console.error('the plugin is not what its modules say: run `node test/operator/kubectl/bundle.ts` and commit it');
    process.exitCode = 1;
  }
}
