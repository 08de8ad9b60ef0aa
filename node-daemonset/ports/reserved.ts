/**
 * Ports that the kernel hands out to nobody who did not ask for them by number: `ip_local_reserved_ports`. The owner may have
 * entries of his own there; what we added is recorded, and everything else is his.
 */
import { closeSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { replaceFile } from '../durable.ts';
import { planReserved } from './plan.ts';
import { formatPorts, parsePorts, piecesOf, type Range } from './ranges.ts';

/** Every second port, which has the longest text, fits. */
const MAX_TEXT = 400_000;
/** The kernel takes so much in one write, and the rest as another one. */
const MAX_WRITE = 4092;

export class ReservedPorts {
  readonly #record: string;
  readonly #sysctl: string;

  /** `record`: a file of ours on a disk that outlives a reboot. `sysctl`: the directory of net.ipv4. */
  constructor(record: string, sysctl = '/proc/sys/net/ipv4') {
    this.#record = record;
    this.#sysctl = sysctl;
  }

  /** Ports that the kernel hands out by itself; others need no reservation. */
  handedOut(): Range {
    const [from, to] = readFileSync(`${this.#sysctl}/ip_local_port_range`, 'utf8').trim().split(/\s+/).map(Number);
    return { from: from!, to: to! };
  }

  /** Reserves more, and frees nothing: the list is never shorter in between. */
  add(ports: Iterable<number>): void {
    const added = this.#added();
    this.#change(added.union(new Set(this.#withinRange(ports))), false);
  }

  /** Reserves these and frees what was reserved before. Returns how many writes it took: 0 where all is as it should be. */
  set(ports: Iterable<number>): number {
    return this.#change(new Set(this.#withinRange(ports)), true);
  }

  release(): void {
    this.#change(new Set(), true);
    rmSync(this.#record, { force: true });
  }

  #change(wanted: ReadonlySet<number>, frees: boolean): number {
    const [before, recorded] = [this.#read(), this.#added()];
    const { kernel, added } = planReserved(before, recorded, wanted);
    const [grows, shrinks] = [!kernel.isSubsetOf(before), !before.isSubsetOf(kernel)];
    // Recorded first: what is found there after a crash is never taken for the owner's.
    this.#keep(recorded.union(added));
    let writes = 0;
    if (shrinks && frees) writes += this.#write(kernel, 0);
    // at any other place than the beginning the kernel adds what is written
    else if (grows) writes += this.#write(kernel.difference(before), 1);
    const after = this.#read();
    if (!kernel.isSubsetOf(after)) {
      const missing = formatPorts(kernel.difference(after)).slice(0, 200);
      throw new Error(`${this.#sysctl}/ip_local_reserved_ports does not take ${missing}`);
    }
    if (frees) this.#keep(added);
    return writes;
  }

  #withinRange(ports: Iterable<number>): number[] {
    const { from, to } = this.handedOut();
    return [...ports].filter((port) => from <= port && port <= to);
  }

  #added(): Set<number> {
    try {
      return parsePorts((JSON.parse(readFileSync(this.#record, 'utf8')) as { added: string }).added);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
      throw new Error(`${this.#record} can't be read: ${(error as Error).message}`, { cause: error });
    }
  }

  #keep(added: ReadonlySet<number>): void {
    const [text, before] = [formatPorts(added), formatPorts(this.#added())];
    if (text !== before) replaceFile(this.#record, `${JSON.stringify({ added: text })}\n`);
  }

  #read(): Set<number> {
    const file = openSync(`${this.#sysctl}/ip_local_reserved_ports`, 'r');
    try {
      // in one read: the kernel gives nothing from any other place than the beginning
      const buffer = Buffer.alloc(MAX_TEXT);
      return parsePorts(buffer.toString('utf8', 0, readSync(file, buffer, 0, MAX_TEXT, 0)));
    } finally {
      closeSync(file);
    }
  }

  /** From place 0 the first piece replaces the list, and the others are added to it. */
  #write(ports: ReadonlySet<number>, place: number): number {
    const pieces = piecesOf(formatPorts(ports), MAX_WRITE);
    const file = openSync(`${this.#sysctl}/ip_local_reserved_ports`, 'r+');
    try {
      for (const [i, piece] of pieces.entries()) {
        const bytes = Buffer.from(piece === '' ? '\n' : piece);
        const written = writeSync(file, bytes, 0, bytes.length, i === 0 ? place : 1);
        if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were taken`);
      }
    } finally {
      closeSync(file);
    }
    return pieces.length;
  }
}
