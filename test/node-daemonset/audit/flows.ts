/** Flows for tests, and a record of them in a directory of its own. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Archive, type Retention } from '../../../node-daemonset/audit/archive.ts';
import type { Flow, Identity } from '../../../node-daemonset/audit/flow.ts';
import { FlowLog } from '../../../node-daemonset/audit/flowlog.ts';
import type { RawFlow } from '../../../node-daemonset/bpf/kernel.ts';

export const START = Date.UTC(2026, 10, 23, 12);

export function makeFlow(given: Partial<Flow> = {}): Flow {
  return {
    sliver: 1,
    source: '10.0.0.1',
    destination: '192.0.2.1',
    protocol: 6,
    sourcePort: 40_000,
    destinationPort: 80,
    tcpFlags: 0x02,
    first: START,
    last: START,
    packets: 1,
    bytes: 74,
    ...given,
  };
}

export function makeIdentity(slice: string, given: Partial<Identity> = {}): Identity {
  return { namespace: 'site', slice, capability: `${slice}-0`, contact: `${slice}@example.org`, ...given };
}

/** A node whose kernel has the flows that are put in, and whose clock stands until it is moved. */
export class RecordedNode {
  readonly directory: string;
  readonly archive: Archive;
  readonly identities = new Map<number, Identity>([[1, makeIdentity('probe')]]);
  retention: Retention = { bytes: 1e9, ageMs: 1e12 };
  now = START;
  #kernel: RawFlow[] = [];

  constructor(directory = mkdtempSync(join(tmpdir(), 'flows-'))) {
    this.directory = directory;
    this.archive = new Archive(directory);
  }

  /** A packet that left just now. */
  sends(given: Partial<Flow> = {}): void {
    const { first: _, last: __, ...flow } = makeFlow(given);
    this.#kernel.push({ ...flow, family: 4, first: this.#clock(), last: this.#clock() });
  }

  open(): FlowLog {
    return new FlowLog({
      nodeName: 'node1',
      archive: this.archive,
      drain: () => this.#kernel.splice(0),
      identities: () => this.identities,
      retention: () => this.retention,
      log: pino({ level: 'silent' }),
      now: () => this.now,
      kernelNow: () => this.#clock(),
      random: () => 7,
    });
  }

  #clock(): bigint {
    return BigInt(this.now - START + 5_000) * 1_000_000n;
  }
}
