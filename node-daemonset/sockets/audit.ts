/** The administrative sniffer: the headers of every packet that the node sends, each with the name of its slice. */
import { BOUNDS } from './bounds.ts';
import { SNAP } from './filter.ts';
import { packetBlock, streamHeader } from './pcapng.ts';
import { Refusal } from './request.ts';
import type { Sink, Stream } from './sniffers.ts';
import { type Sample, Tap } from './tap.ts';

export interface AuditParts {
  /** The node's uplinks, by their indices. */
  uplinks(): number[];
  /** The slice that sends in an HTB class; undefined: the node itself. */
  sliceOf(classId: number): string | undefined;
}

interface Reader {
  sink: Sink | undefined;
  /** Packets lost since the last that it got, and what the tap had lost by then. */
  dropped: number;
  lost: number;
}

/** How often samples are fetched, and how many at most: what bounds the CPU that they take. */
const EVERY_MS = 10;
const SAMPLES = 2048;
/** How long an interface that became an uplink may be missed. */
const UPLINKS_MS = 1000;

/** One tap for all who look. */
export class Audit {
  readonly #parts: AuditParts;
  readonly #readers = new Set<Reader>();
  #tap: Tap | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What a monotonic clock that shows 0 would be, in ns since the epoch. */
  #epoch = 0n;
  #lost = 0;
  #followedAt = -Infinity;

  constructor(parts: AuditParts) {
    this.#parts = parts;
  }

  /** Throws Refusal EBUSY where too many look. */
  open(): Stream {
    if (this.#readers.size >= BOUNDS.auditsInAll) {
      throw new Refusal('EBUSY', `all ${BOUNDS.auditsInAll} administrative sniffers of this node are in use`);
    }
    if (!this.#tap) {
      this.#tap = new Tap();
      this.#follow();
      this.#lost = 0;
      this.#epoch = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
      this.#timer = setInterval(() => this.#fetch(), EVERY_MS);
    }
    const reader: Reader = { sink: undefined, dropped: 0, lost: this.#lost };
    this.#readers.add(reader);
    return {
      start: (sink) => {
        sink.write(streamHeader(SNAP));
        reader.sink = sink;
      },
      close: () => this.#close(reader),
    };
  }

  #close(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    clearInterval(this.#timer);
    this.#tap?.close();
    this.#tap = undefined;
  }

  #follow(): void {
    this.#followedAt = performance.now();
    this.#tap!.follow(this.#parts.uplinks());
  }

  #fetch(): void {
    if (performance.now() - this.#followedAt > UPLINKS_MS) this.#follow();
    let left = SAMPLES;
    this.#tap!.consume((sample) => {
      for (const reader of this.#readers) this.#relay(reader, sample);
      this.#lost = sample.lost;
      return --left > 0;
    });
  }

  #relay(reader: Reader, { time, priority, length, data, lost }: Sample): void {
    if (!reader.sink) return;
    // two counts of 32 bits
    reader.dropped += (lost - reader.lost) >>> 0;
    reader.lost = lost;
    if (reader.sink.writableLength > BOUNDS.snifferBuffer) {
      reader.dropped++;
      return;
    }
    const slice = this.#parts.sliceOf(priority & 0xffff);
    const { dropped } = reader;
    const packet = { time: time + this.#epoch, direction: 'out' as const, data, length, dropped };
    reader.sink.write(packetBlock(slice === undefined ? packet : { ...packet, slice }));
    reader.dropped = 0;
  }
}
