/** What a sliver finds beside its socket: client library, shim and tools, stored once for all slivers of the node. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  globSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Hard links take no room; they cannot cross file systems, so the files are first copied beside the slivers' directories. */
export class ClientFiles {
  readonly #files: ReadonlyMap<string, string>;

  /**
   * `built`: where `make -C node-daemonset/sockets/client` put them, in bin, lib and include; `store`: on the file system
   * of the slivers' directories. Throws where nothing was built.
   */
  constructor(built: string, store: string) {
    const names = globSync('{bin,lib,include}/*', { cwd: built });
    if (names.length === 0) throw new Error(`${built} has no client: run make -C node-daemonset/sockets/client`);
    this.#files = new Map(names.map((name) => [name, keep(join(built, name), store)]));
    const used = new Set([...this.#files.values()].map((path) => basename(path)));
    for (const old of globSync('*', { cwd: store })) if (!used.has(old)) rmSync(join(store, old));
  }

  /** Makes the files of a sliver's directory those of this version. */
  link(directory: string): void {
    for (const [name, stored] of this.#files) {
      const path = join(directory, name);
      if (existsSync(path) && statSync(path).ino === statSync(stored).ino) continue;
      mkdirSync(dirname(path), { recursive: true });
      chmodSync(dirname(path), 0o755);
      rmSync(`${path}.new`, { force: true });
      linkSync(stored, `${path}.new`);
      // a program that runs from it goes on with the old one
      renameSync(`${path}.new`, path);
    }
  }
}

/** Copies a file into the store under the name of its contents; root's, and written by nobody afterwards. */
function keep(source: string, store: string): string {
  const bytes = readFileSync(source);
  const mode = statSync(source).mode & 0o111 ? 0o555 : 0o444;
  const path = join(store, `${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}-${mode.toString(8)}`);
  if (!existsSync(path)) {
    mkdirSync(store, { recursive: true });
    writeFileSync(`${path}.new`, bytes);
    chmodSync(`${path}.new`, mode);
    renameSync(`${path}.new`, path);
  }
  return path;
}
