/** Every grant and refusal of this node, one JSON object a line: on the disk before any status says so. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Ledger } from './admission/ledger.ts';
import type { Decision } from './admission/plan.ts';
import { appendFile, DISK, type Disk, syncDirectory } from './durable.ts';

export interface GrantLogOptions {
  path: string;
  /** Bytes after which a new file is begun. Default 8 MiB. */
  maxBytes?: number;
  /** Files kept, the present one among them. Default 5. */
  files?: number;
  disk?: Disk;
}

/** What the ledger holds: whatever else was granted by the lines before it is not. Of each right the generation that was granted. */
export interface Holds {
  event: 'holds';
  /** By uid. */
  grants: Record<string, number>;
}

const MAX_OWED = 1000;

/** Append-only and bounded: the oldest file goes when a new one is begun. */
export class GrantLog {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #files: number;
  readonly #disk: Disk;
  #torn = true;
  /** Whether lines may say what never came into the ledger: those of an earlier run, or before a write that failed. */
  #inDoubt = true;
  /** Lines of what holds already although the disk did not take them. */
  #owed: string[] = [];

  constructor({ path, maxBytes = 8 * 1024 * 1024, files = 5, disk = DISK }: GrantLogOptions) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#files = files;
    this.#disk = disk;
  }

  /**
   * All of them in one write; at least once: after a crash a decision may be there twice, or be none at all. So the first write of a
   * run, and the one after a failure, says what the ledger held before them.
   */
  append(decisions: readonly Decision[], now: number, before: Ledger): void {
    if (decisions.length === 0 && this.#owed.length === 0 && !this.#inDoubt) return;
    const begun = !existsSync(this.#path);
    if (!begun && statSync(this.#path).size >= this.#maxBytes) this.#rotate();
    const holds = this.#inDoubt ? linesOf([holdsOf(before)], now) : [];
    const lines = [...this.#owed, ...holds, ...linesOf(decisions, now)].join('');
    // A crash, ours or of an earlier run, may have left the last line cut.
    const text = this.#torn ? `\n${lines}` : lines;
    this.#torn = true;
    appendFile(this.#path, text, this.#disk);
    this.#torn = false;
    if (begun) syncDirectory(dirname(this.#path), this.#disk);
    this.#owed = [];
    this.#inDoubt = false;
  }

  /**
   * After a write of the log or of the ledger failed: what was decided all the same, which could not wait for the disk. It is written
   * with the next. Bounded: the oldest are lost.
   */
  owe(decisions: readonly Decision[], now: number): void {
    this.#inDoubt = true;
    this.#owed = [...this.#owed, ...linesOf(decisions, now)].slice(-MAX_OWED);
  }

  #rotate(): void {
    rmSync(this.#name(this.#files - 1), { force: true });
    for (let age = this.#files - 2; age >= 0; age--) {
      if (existsSync(this.#name(age))) renameSync(this.#name(age), this.#name(age + 1));
    }
    syncDirectory(dirname(this.#path), this.#disk);
  }

  #name(age: number): string {
    return age === 0 ? this.#path : `${this.#path}.${age}`;
  }
}

function holdsOf({ entries }: Ledger): Holds {
  const grants = entries.flatMap(({ uid, grant }): [string, number][] => (grant ? [[uid, grant.generation]] : []));
  return { event: 'holds', grants: Object.fromEntries(grants) };
}

function linesOf(decisions: readonly (Decision | Holds)[], now: number): string[] {
  const time = new Date(now).toISOString();
  return decisions.map((decision) => `${JSON.stringify({ time, ...decision })}\n`);
}
