/** What a sliver sees of itself: a directory of small files, shown read-only in its pod. */
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toRspec } from '../../crds/rspec.ts';
import type { PodRecord } from '../pods.ts';
import { readOr } from '../processes.ts';

/** The sliver directories of this node, below one root; they are in memory and go with a reboot. */
export class SliverDirectories {
  readonly #root: string;
  readonly #nodeName: string;

  constructor(root: string, nodeName: string) {
    this.#root = root;
    this.#nodeName = nodeName;
  }

  path(uid: string): string {
    return join(this.#root, uid);
  }

  /** Makes the files say what the record says; a file that already does is not touched. */
  write(pod: PodRecord): void {
    const directory = this.path(pod.uid);
    mkdirSync(directory, { recursive: true });
    // whatever our umask: the sliver is another user
    chmodSync(this.#root, 0o755);
    chmodSync(directory, 0o755);
    const files = {
      slice: `${pod.slice ?? ''}\n`,
      node: `${this.#nodeName}\n`,
      capability: `${pod.rcap.namespace}/${pod.rcap.name}\n`,
      'rspec.json': `${JSON.stringify(toRspec(pod.amounts), null, 2)}\n`,
    };
    for (const [name, text] of Object.entries(files)) {
      const path = join(directory, name);
      if (readOr(path, undefined) === text) continue;
      // by rename: a sliver that reads at this moment sees the old text or the new one
      writeFileSync(`${path}.new`, text, { mode: 0o444 });
      chmodSync(`${path}.new`, 0o444);
      renameSync(`${path}.new`, path);
    }
  }

  remove(uid: string): void {
    rmSync(this.path(uid), { recursive: true, force: true });
  }

  /** Removes the directories of pods that are not known any more. */
  sweep(known: ReadonlySet<string>): void {
    for (const name of listOr(this.#root)) if (!known.has(name)) this.remove(name);
  }
}

function listOr(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
