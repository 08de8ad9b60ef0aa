/**
 * What the owner says on the node itself: a cap on what slices send, and slices that are suspended. A file for each order, so
 * that two commands at once never undo each other, and none is lost: they are on the disk before the command ends.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DISK, type Disk, replaceFile, syncDirectory } from '../durable.ts';
import { cut } from '../../crds/text.ts';

/** Why an order was given, and when (RFC 3339). */
export interface Order {
  since: string;
  reason: string;
}

export interface Suspension extends Order {
  namespace: string;
  /** undefined: every slice of the namespace, also those that come later. */
  slice: string | undefined;
}

export interface Cap extends Order {
  /** The most that all slices together send, in bits/s. */
  egressLimit: number;
}

export interface Orders {
  cap: Cap | undefined;
  /** By name. */
  suspended: Suspension[];
}

export const NO_ORDERS: Orders = { cap: undefined, suspended: [] };

/** More than slices on any node; a status must hold them. */
export const MOST_SUSPENDED = 256;

const CAP = 'cap.json';
/** A namespace has no dot. */
const SUSPENDED = /^suspended-([a-z0-9][a-z0-9-]{0,62})(?:\.([a-z0-9][a-z0-9.-]{0,51}))?\.json$/;

export class OrderFiles {
  readonly #directory: string;
  readonly #disk: Disk;

  /** Makes the directory, which is root's alone, where it is not there. */
  constructor(directory: string, disk: Disk = DISK) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
    this.#disk = disk;
  }

  /** Throws where a file can't be read, or a cap makes no sense: then what was known before holds. */
  read(): Orders {
    const suspended: Suspension[] = [];
    let cap: Cap | undefined;
    for (const file of readdirSync(this.#directory).toSorted()) {
      try {
        if (file === CAP) cap = this.#cap();
        const [, namespace, slice] = SUSPENDED.exec(file) ?? [];
        // the name alone suspends: a file whose text was spoilt frees nobody
        if (namespace) suspended.push({ namespace, slice, ...orderOf(this.#json(file)) });
      } catch (error) {
        // taken back since the directory was read
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    return { cap, suspended };
  }

  suspend({ namespace, slice, since, reason }: Suspension): void {
    const { suspended } = this.read();
    const isNew = !suspended.some((one) => one.namespace === namespace && one.slice === slice);
    if (isNew && suspended.length >= MOST_SUSPENDED) {
      throw new Error(`${MOST_SUSPENDED} are suspended already: suspend whole namespaces, or resume some`);
    }
    this.#write(fileOf(namespace, slice), { since, reason });
  }

  /** Whether it was suspended by that very name. */
  resume(namespace: string, slice: string | undefined): boolean {
    return this.#remove(fileOf(namespace, slice));
  }

  cap(cap: Cap): void {
    this.#write(CAP, cap);
  }

  /** Whether there was a cap. */
  uncap(): boolean {
    return this.#remove(CAP);
  }

  #write(file: string, content: object): void {
    replaceFile(join(this.#directory, file), `${JSON.stringify(content)}\n`, this.#disk);
  }

  #remove(file: string): boolean {
    const isThere = readdirSync(this.#directory).includes(file);
    rmSync(join(this.#directory, file), { force: true });
    syncDirectory(this.#directory, this.#disk);
    return isThere;
  }

  #cap(): Cap {
    const read = this.#json(CAP);
    const { egressLimit } = read;
    if (typeof egressLimit !== 'number' || !Number.isFinite(egressLimit) || egressLimit < 0) {
      throw new Error(`${join(this.#directory, CAP)} says no rate: give the cap anew with slice-node cap`);
    }
    return { egressLimit, ...orderOf(read) };
  }

  #json(file: string): Record<string, unknown> {
    const text = readFileSync(join(this.#directory, file), 'utf8').slice(0, 4096);
    try {
      return (JSON.parse(text) ?? {}) as Record<string, unknown>;
    } catch {
      return {};
    }
  }
}

function orderOf({ since, reason }: Record<string, unknown>): Order {
  const text = (value: unknown): string => (typeof value === 'string' ? cut(value, 512) : '');
  return { since: text(since), reason: text(reason) };
}

function fileOf(namespace: string, slice: string | undefined): string {
  const file = `suspended-${namespace}${slice === undefined ? '' : `.${slice}`}.json`;
  if (!SUSPENDED.test(file)) throw new Error(`${namespace}/${slice ?? ''} names no slice`);
  return file;
}
