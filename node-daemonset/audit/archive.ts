/**
 * Flows on the disk: one file a period. The open one is appended to at each drain, a gzip member and an fsync each, so
 * that a crash loses nothing but what was not drained; at the period's end its sums take its place, by rename.
 */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { packMember, readMembers } from './member.ts';

/** A file of the archive. */
export interface ArchiveFile {
  name: string;
  /** When its period began, in ms since the epoch. */
  start: number;
  /** Still appended to, or left so by a crash. */
  open: boolean;
  bytes: number;
}

/** What the owner wants kept: whatever is exceeded first. */
export interface Retention {
  bytes: number;
  ageMs: number;
}

const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-(\d{1,4})\.(open|flows)\.gz$/;

export class Archive {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directory, and removes what a crash left half written. */
  async prepare(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) if (name.endsWith('.new')) await this.remove(name);
  }

  /** The oldest first. */
  async list(): Promise<ArchiveFile[]> {
    const files: ArchiveFile[] = [];
    for (const name of await readdir(this.#directory)) {
      const [, year, month, day, hour, minute, second, , kind] = NAME.exec(name) ?? [];
      if (kind === undefined) continue;
      const start = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
      const bytes = await stat(join(this.#directory, name)).then(
        ({ size }) => size,
        () => undefined, // deleted at this moment
      );
      if (Number.isFinite(start) && bytes !== undefined) files.push({ name, start, open: kind === 'open', bytes });
    }
    return files.sort((a, b) => a.start - b.start || sequence(a.name) - sequence(b.name));
  }

  /** A name for a period's open file that no file has, or had before it was closed: a clock may be set back. */
  async freeName(start: number): Promise<string> {
    const taken = new Set(await readdir(this.#directory));
    const stem = new Date(start).toISOString().replace(/[-:]|\.\d+/g, '');
    for (let n = 0; n < 10_000; n++) {
      const name = `${stem}-${n}.open.gz`;
      if (!taken.has(name) && !taken.has(closedName(name))) return name;
    }
    throw new Error(`${this.#directory} has 10000 files of the period ${stem}`);
  }

  /** Adds text to an open file, which is made where it is not there. On the disk when it resolves; returns its size. */
  async append(name: string, text: string): Promise<number> {
    const file = await open(join(this.#directory, name), 'a', 0o600);
    const { size } = await file.stat();
    try {
      const bytes = await packMember(text);
      await file.writeFile(bytes);
      await file.sync();
      if (size === 0) await this.#sync();
      return size + bytes.length;
    } catch (error) {
      // half a member in the middle would hide all that follows
      await file.truncate(size).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Replaces a file by these texts, as a whole or not at all. */
  async replace(name: string, texts: AsyncIterable<string>): Promise<void> {
    const path = join(this.#directory, name);
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      for await (const text of texts) await file.writeFile(await packMember(text));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await this.#sync();
  }

  /** Puts these texts in the place of an open file, for good. Returns the name of what is there now. */
  async close(name: string, texts: AsyncIterable<string>): Promise<string> {
    const closed = closedName(name);
    await this.replace(closed, texts);
    await this.remove(name);
    return closed;
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#directory, name), { force: true });
  }

  /** Deletes the oldest closed files until the rest is within bounds. Returns how many. */
  async prune({ bytes, ageMs }: Retention, now: number): Promise<number> {
    const files = await this.list();
    let total = files.reduce((sum, file) => sum + file.bytes, 0);
    let removed = 0;
    for (const file of files.filter((one) => !one.open)) {
      if (total <= bytes && now - file.start <= ageMs) continue;
      await this.remove(file.name);
      total -= file.bytes;
      removed++;
    }
    return removed;
  }

  /** The texts of a file, as far as it can be read; `torn` is called where that is not to its end, or it is gone. */
  async *texts(name: string, torn: () => void): AsyncGenerator<string> {
    try {
      yield* readMembers(join(this.#directory, name), torn);
    } catch (error) {
      // deleted at this moment, for its age
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      torn();
    }
  }

  async #sync(): Promise<void> {
    const directory = await open(this.#directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

function closedName(name: string): string {
  return name.replace('.open.', '.flows.');
}

function sequence(name: string): number {
  return Number(NAME.exec(name)?.[7] ?? 0);
}
