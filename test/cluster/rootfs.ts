/** Root file systems made of this machine's own programs and the libraries that they load. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run } from './command.ts';

const SEARCHED = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The program's real file. */
export function findProgram(name: string): string {
  const found = SEARCHED.map((dir) => join(dir, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no program ${name} in ${SEARCHED.join(':')}`);
  return realpathSync(found);
}

/** A shared library under the name by which programs ask for it. */
export function findLibrary(name: string): string {
  const [found] = globSync(`/usr/lib/{*/,}${name}`);
  if (found === undefined) throw new Error(`no library ${name} below /usr/lib`);
  return found;
}

/** Pure: where a file belongs in a tree in which /bin, /sbin and /lib* are links into /usr. */
export const merged = (path: string): string =>
  /^\/(s?bin|lib|lib32|lib64|libx32)\//.test(path) ? `/usr${path}` : path;

/** Pure: the paths in the output of ldd(1). */
export const parseLibraries = (output: string): string[] => [...new Set(output.match(/(?<=\s)\/\S+(?= \(0x)/g))];

async function libraries(files: readonly string[]): Promise<string[]> {
  const output = await run(['sh', '-c', 'ldd "$@" 2>/dev/null; true', 'ldd', ...files]); // a static program makes it fail
  return parseLibraries(output);
}

/** Changes when one of the files does. */
export function fingerprint(files: readonly string[], more: string = ''): string {
  const hash = createHash('sha256').update(more);
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

function put(root: string, file: string, target = merged(file)): void {
  const path = join(root, target);
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  cpSync(file, path, { dereference: true, recursive: true });
}

/** Fills `root` with the programs, found by name, and what they load. */
export async function stagePrograms(root: string, names: readonly string[]): Promise<void> {
  const files = names.map(findProgram);
  for (const file of [...files, ...(await libraries(files))]) put(root, file);
  for (const name of names) {
    const path = join(root, 'usr/bin', name); // programs with several names: sh is dash, awk is mawk
    const real = merged(findProgram(name));
    if (basename(real) !== name && lstatSync(path, { throwIfNoEntry: false }) === undefined) {
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(real, path);
    }
  }
}

/** Adds a file of ours under another path, with what it loads. */
export async function stageFile(root: string, file: string, target: string): Promise<void> {
  put(root, file, target);
  for (const library of await libraries([file])) put(root, library);
}

/** Directories, links and accounts that programs expect; 65532 is who the operator runs as. */
export function stageSkeleton(root: string): void {
  for (const dir of [
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'usr/local/bin',
    'etc',
    'proc',
    'sys',
    'dev',
    'run',
    'var',
    'root',
    'app',
    'tmp',
  ]) {
    mkdirSync(join(root, dir), { recursive: true });
  }
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${dir}`, join(root, dir));
  symlinkSync('../run', join(root, 'var/run'));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nslice:x:65532:65532::/app:/bin/false\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nslice:x:65532:\nnogroup:x:65534:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

/** An empty directory for a root file system to be. */
export function emptyDirectory(dir: string): string {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  return dir;
}
