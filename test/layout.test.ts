/** The rules of the layout: who may import whom, where effects may be, and that plans are pure. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A folder of the product, and the folders of ours that it may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  crds: ['crds'],
  kube: ['crds', 'kube'],
  operator: ['crds', 'kube', 'operator'],
  'node-daemonset': ['crds', 'kube', 'node-daemonset'],
};

const TOP_LEVEL = [...Object.keys(MAY_IMPORT), 'charts', 'docs', 'examples', 'test', 'node_modules', 'coverage'];
const MAX_LINES = 260;

interface Source {
  path: string;
  text: string;
  /** Without comments and without the contents of strings, so that words in them break no rule. */
  code: string;
  imports: string[];
}

const sources: Source[] = globSync(`{${Object.keys(MAY_IMPORT).join(',')}}/**/*.ts`, { cwd: ROOT }).map((path) => {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
  const imports = [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
  return { path, text, code: code.replace(/'(?:[^'\\\n]|\\.)*'/g, "''"), imports };
});

const plans = sources.filter(
  ({ path, code }) => /(^|\/)plan(\/|\.ts$)/.test(path) || /export (async )?function plan[A-Z]/.test(code),
);

/** What a pure, synchronous function has no use for. */
const IMPURE: readonly [string, RegExp][] = [
  ['reads the clock', /\bDate\.now\b|\bnew Date\(\)|\bperformance\b|\bhrtime\b/],
  ['draws random numbers', /\bMath\.random\b|\brandom(UUID|Bytes|Int)\b/],
  ['waits', /\bawait\b|\basync\b|\bsetTimeout\b|\bsetInterval\b|\bPromise\b/],
  ['looks at the process', /\bprocess\./],
];
const PURE_BUILTINS = new Set(['node:crypto', 'node:net', 'node:util', 'node:path']);

describe('layout', () => {
  it('is looked at at all', () => assert.ok(sources.length > 20 && plans.length >= 3, `${sources.length} files`));

  it('has the agreed top level', () => {
    const folders = globSync('*/', { cwd: ROOT }).map((folder) => folder.replace(/\/$/, ''));
    assert.deepEqual(
      folders.filter((folder) => !TOP_LEVEL.includes(folder)),
      [],
    );
  });

  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    it(`${folder} imports only ${allowed.join(', ')} of ours`, () => {
      for (const source of sources.filter(({ path }) => path.startsWith(`${folder}/`))) {
        for (const one of source.imports.filter((name) => name.startsWith('.'))) {
          const top = normalize(join(dirname(source.path), one)).split('/')[0]!;
          assert.ok(allowed.includes(top) || one.endsWith('package.json'), `${source.path} imports ${one}`);
        }
      }
    });
  }

  for (const plan of plans) {
    it(`${plan.path} is pure`, () => {
      for (const [what, pattern] of IMPURE) assert.doesNotMatch(plan.code, pattern, `${plan.path} ${what}`);
      const effects = plan.imports.filter((name) => name.startsWith('node:') && !PURE_BUILTINS.has(name));
      assert.deepEqual(effects, [], `${plan.path} imports what has effects`);
    });
  }

  it('reads the environment in main.ts only', () => {
    const readers = sources.filter(({ code }) => code.includes('process.env')).map(({ path }) => path);
    assert.deepEqual(
      readers.filter((path) => !path.endsWith('/main.ts')),
      [],
    );
  });

  it('starts processes in one file, and kubectl in another', () => {
    const starters = sources.filter(({ imports }) => imports.some((name) => name.includes('child_process')));
    assert.deepEqual(starters.map(({ path }) => path).toSorted(), [
      'node-daemonset/exec.ts',
      'operator/kubectl/run.ts',
    ]);
  });

  it('has no folder or file for what fits nowhere, and no file that only re-exports', () => {
    for (const { path, code } of sources) {
      assert.doesNotMatch(path, /(^|\/)(utils?|helpers?|common|misc|shared|index)(\/|\.ts$)/);
      const statements = code.split('\n').filter((line) => line.trim() !== '');
      assert.ok(
        !statements.every((line) => line.startsWith('export') && line.includes(' from ')),
        `${path} is a barrel`,
      );
    }
  });

  it(`has no file of more than ${MAX_LINES} lines`, () => {
    const long = sources.filter(({ path, text }) => path !== 'crds/types.ts' && text.split('\n').length > MAX_LINES);
    assert.deepEqual(
      long.map(({ path }) => path),
      [],
    );
  });
});
