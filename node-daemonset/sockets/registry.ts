/** The raw sockets that slivers hold: passed on, they are known to us by their inodes alone. */
import { readFileSync } from 'node:fs';
import { replaceFile } from '../durable.ts';
import { readOr } from '../processes.ts';
import type { OpenedRaw } from './raw.ts';
import type { RawPorts } from './rawports.ts';

/** One raw socket that may still be open somewhere. */
export interface PassedSocket {
  inode: number;
  /** Pod uid of the sliver that asked for it. */
  sliver: string;
  opened: OpenedRaw;
}

const TABLES = ['/proc/net/raw', '/proc/net/raw6'];

/**
 * Kept in a file that goes with a reboot, as the sockets do: after a restart the ports of sockets that live on are known.
 */
export class SocketRegistry {
  readonly #file: string;
  readonly #liveInodes: () => ReadonlySet<number>;
  #sockets: PassedSocket[];

  constructor(file: string, liveInodes = readLiveInodes) {
    this.#file = file;
    this.#liveInodes = liveInodes;
    this.#sockets = parseSockets(readOr(file, '[]'));
  }

  add(socket: PassedSocket): void {
    this.#save([...this.#sockets, socket]);
  }

  /** Those still open, as of now. */
  live(): readonly PassedSocket[] {
    if (this.#sockets.length === 0) return this.#sockets;
    const live = this.#liveInodes();
    const left = this.#sockets.filter(({ inode }) => live.has(inode));
    if (left.length < this.#sockets.length) this.#save(left);
    return left;
  }

  #save(sockets: PassedSocket[]): void {
    this.#sockets = sockets;
    replaceFile(this.#file, `${JSON.stringify(sockets)}\n`);
  }
}

/** The ports of raw TCP and UDP sockets, each once. */
export function rawPortsOf(sockets: readonly PassedSocket[]): RawPorts {
  const of = (protocol: 'tcp' | 'udp'): number[] => {
    const ports = sockets.flatMap(({ opened }) =>
      opened.open === 'raw' && opened.protocol === protocol ? [Number(opened.port)] : [],
    );
    return [...new Set(ports)].sort((a, b) => a - b);
  };
  return { tcp: of('tcp'), udp: of('udp') };
}

/** The inodes of a table such as /proc/net/raw. */
export function parseInodes(table: string): number[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => Number(line.trim().split(/\s+/)[9]))
    .filter((inode) => inode > 0);
}

function readLiveInodes(): ReadonlySet<number> {
  return new Set(TABLES.flatMap((path) => parseInodes(readFileSync(path, 'utf8'))));
}

/** A file that makes no sense is as good as none: it says only which ports the kernel must not answer for. */
function parseSockets(text: string): PassedSocket[] {
  try {
    const read = JSON.parse(text) as PassedSocket[];
    return read.filter(({ inode, sliver, opened }) => inode > 0 && typeof sliver === 'string' && opened);
  } catch {
    return [];
  }
}
