/** The weights that pods had before we wrote any, in a file of our own: so that a restart can still put them back. */
import { readFileSync, rmSync } from 'node:fs';
import { replaceFile } from '../durable.ts';
import type { Originals } from './plan.ts';

/** Reads and fsyncs the record; writes only what differs. One instance for each file. */
export class OriginalsFile {
  readonly #path: string;
  #text: string;

  constructor(path: string) {
    this.#path = path;
    this.#text = readText(path);
  }

  /** An unreadable record counts as none: the kubelet's weights are then taken for the originals. */
  get(): Originals {
    try {
      return JSON.parse(this.#text) as Originals;
    } catch {
      return {};
    }
  }

  /** On the disk when it returns, or the file is as it was. */
  set(originals: Originals): void {
    const text = JSON.stringify(originals);
    if (text === this.#text) return;
    if (text === '{}') rmSync(this.#path, { force: true });
    else replaceFile(this.#path, text);
    this.#text = text;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '{}';
    throw error;
  }
}
