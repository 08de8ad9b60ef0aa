/** Notices at once when somebody else writes a pod's CPU files or makes a pod, instead of at the next full pass. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { WEIGHT_FILES } from './kernel.ts';

/** inotify on cgroup directories: it sees every write that goes through the file system, the kubelet's among them. */
export class WeightWatch {
  readonly #onDisturbed: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  /** What we wrote last, by path: our own writes are no disturbance. */
  readonly #expected = new Map<string, string>();

  constructor(onDisturbed: () => void) {
    this.#onDisturbed = onDisturbed;
  }

  /** Says what a file is about to contain by our own hand. */
  expect(path: string, content: string): void {
    this.#expected.set(path, content);
  }

  /** Watches these pods' directories and the parents in which pods appear, and no others any more. */
  update(pods: readonly string[], parents: readonly string[]): void {
    const wanted = new Set([...pods, ...parents]);
    for (const [directory, watcher] of this.#watchers) {
      if (!wanted.has(directory)) this.#forget(directory, watcher);
    }
    for (const directory of wanted) {
      if (!this.#watchers.has(directory)) this.#watch(directory);
    }
  }

  close(): void {
    for (const [directory, watcher] of this.#watchers) this.#forget(directory, watcher);
  }

  #watch(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, (event, name) => this.#judge(directory, event, name));
      watcher.on('error', () => this.#forget(directory, watcher));
      this.#watchers.set(directory, watcher);
    } catch {
      // The pod is gone, or the machine has no inotify watch left: the full pass still restores every weight.
    }
  }

  #judge(directory: string, event: string, name: string | null): void {
    if (name === null) return;
    const path = join(directory, name);
    if (event === 'rename') {
      if (/(^|-)pod/.test(name)) this.#onDisturbed();
    } else if (WEIGHT_FILES.includes(name) && read(path) !== this.#expected.get(path)) this.#onDisturbed();
  }

  #forget(directory: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watchers.delete(directory);
    for (const name of WEIGHT_FILES) this.#expected.delete(join(directory, name));
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
