/** One period of the record: its flows added up, and who the numbers in them were. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Prefix } from '../../crds/ipaddress.ts';
import type { Archive } from './archive.ts';
import { type Flow, type Identity, UNATTRIBUTED } from './flow.ts';
import { flowLine, headerLine, identityLine, parseLine } from './lines.ts';
import { FlowTable } from './table.ts';

/** A flow and whose it is; undefined: no slice's, or one that nobody knows any more. */
export interface OwnedFlow {
  flow: Flow;
  owner: Identity | undefined;
}

/** A stretch of the record that can be read; `start` and `end` in ms since the epoch. */
export interface Segment {
  start: number;
  end: number;
  /** Some flows at a time, so that others get their turn in between; with a destination, at least those that match it. */
  read(destination?: Prefix): AsyncIterable<OwnedFlow[]>;
}

/** Rows that are read, or made into text, in one turn: a few ms. */
const BATCH = 2_000;

export class Period implements Segment {
  readonly start: number;
  end: number;
  readonly table: FlowTable;
  readonly identities = new Map<number, Identity>();
  /** Its file in the archive; undefined where it has none yet. */
  file: string | undefined;
  /** Flows added that its file does not have. */
  unsaved = 0;

  constructor(start: number, end: number, seed: number) {
    this.start = start;
    this.end = end;
    this.table = new FlowTable({ seed });
  }

  add(flow: Flow, identity: Identity | undefined): void {
    this.table.add(flow);
    if (identity && flow.sliver !== UNATTRIBUTED) this.identities.set(flow.sliver, identity);
  }

  async *read(destination?: Prefix): AsyncGenerator<OwnedFlow[]> {
    for (let from = 0; from < this.table.rows; from += BATCH) {
      const batch: OwnedFlow[] = [];
      for (const flow of this.table.read(from, from + BATCH, destination)) {
        batch.push({ flow, owner: this.identities.get(flow.sliver) });
      }
      yield batch;
      await turn();
    }
  }

  /** Its whole file, in parts. */
  async *texts(node: string): AsyncGenerator<string> {
    yield headerLine(node, this.start) + identityLines(this.identities);
    for (let from = 0; from < this.table.rows; from += BATCH) {
      let text = '';
      for (const flow of this.table.read(from, from + BATCH)) text += flowLine(flow);
      yield text;
      await turn();
    }
  }
}

export function identityLines(identities: ReadonlyMap<number, Identity>): string {
  return [...identities].map(([sliver, identity]) => identityLine(sliver, identity)).join('');
}

/** A file of the archive. `torn` is called where it could not be read to its end. */
export function archivedSegment(
  archive: Archive,
  file: { name: string; start: number },
  end: number,
  torn: () => void,
): Segment {
  return {
    start: file.start,
    end,
    async *read(): AsyncGenerator<OwnedFlow[]> {
      const identities = new Map<number, Identity>();
      for await (const text of archive.texts(file.name, torn)) {
        const lines = text.split('\n');
        for (let from = 0; from < lines.length; from += BATCH) {
          const batch: OwnedFlow[] = [];
          for (const one of lines.slice(from, from + BATCH)) {
            const line = parseLine(one);
            if (!line) continue;
            if ('flow' in line) batch.push({ flow: line.flow, owner: identities.get(line.flow.sliver) });
            else identities.set(line.sliver, line.identity);
          }
          yield batch;
          await turn();
        }
      }
    },
  };
}
