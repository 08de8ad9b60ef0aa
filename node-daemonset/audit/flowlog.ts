/** The record of what left the node: drained from the kernel, one hour of it in memory, all of it on the disk. */
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { RawFlow } from '../bpf/kernel.ts';
import type { Problem } from '../sliver.ts';
import type { Archive, Retention } from './archive.ts';
import { datedFlows, type Flow, type Identity } from './flow.ts';
import { flowLine, headerLine } from './lines.ts';
import { archivedSegment, identityLines, Period, type Segment } from './period.ts';
import { SliceSums } from './sums.ts';

export interface FlowLogOptions {
  nodeName: string;
  archive: Archive;
  /** Empties the kernel's tables. */
  drain(): readonly RawFlow[];
  /** Who the numbers are that the node knows at this instant. */
  identities(): ReadonlyMap<number, Identity>;
  retention(): Retention;
  log: Logger;
  /** ms since the epoch, and the clock of the kernel's flows in ns. */
  now(): number;
  kernelNow(): bigint;
  random(): number;
}

/** One file, and one table in memory. */
export const PERIOD_MS = 600_000;
/** What is answered from memory alone. */
const HOUR_MS = 3_600_000;
const DRAIN_MS = 10_000;
/** A flow is drained some time after its packets: a file has packets from before its period. */
const SLACK_MS = 2 * DRAIN_MS;
/** Rows in memory over all periods, 85 bytes each: the oldest period gives way, and is read from the disk. */
const MEMORY_ROWS = 393_216;
/** Flows that are added up in one turn: a few ms, so that passes and questions get theirs. */
const BATCH = 2_000;
/** An open file larger than this is replaced by its sums. */
const MAX_OPEN_BYTES = 32 * 1024 * 1024;

export class FlowLog {
  readonly #options: FlowLogOptions;
  /** The newest last; the last one is open. */
  #periods: Period[] = [];
  /** Numbers outlive their slivers: the last packets are drained when the sliver is gone. */
  #known = new Map<number, Identity>();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #problem: string | undefined;
  /** Records that were forgotten before they could be written. */
  #lost = 0;
  #prunedAt = -Infinity;
  #since: number | undefined;
  readonly #sums = new SliceSums();
  /** What an earlier run left is read. */
  #recovered = false;

  constructor(options: FlowLogOptions) {
    this.#options = options;
  }

  /** Reads what an earlier run left, then drains every 10 s. */
  async start(): Promise<void> {
    await this.#recover();
    this.#recovered = true;
    const schedule = (): void => {
      this.#timer = setTimeout(() => void this.drain().finally(schedule), DRAIN_MS);
    };
    schedule();
  }

  /** Drains once more, so that what was sent until now is on the disk. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.drain();
    clearTimeout(this.#timer);
  }

  /** What the disk refused; the node manager reports it. */
  problems(): Problem[] {
    if (this.#problem === undefined) return [];
    return [{ reason: 'AuditNotSaved', message: `the record of flows has a gap, or will have: ${this.#problem}` }];
  }

  /** The oldest that is recorded, in ms since the epoch. */
  get since(): number | undefined {
    return this.#since;
  }

  /** undefined before an earlier run's are read back: a part of them would look like a counter that began anew. */
  sums(): ReturnType<SliceSums['read']> | undefined {
    return this.#recovered ? this.#sums.read() : undefined;
  }

  /** What readers should know. */
  notes(): string[] {
    const notes: string[] = [];
    const folded = this.#periods.reduce((sum, { table }) => sum + table.folded, 0);
    if (folded > 0)
      notes.push(`${folded} records of the last hour had no room and are in their slices' rows without addresses`);
    const unsaved = this.#periods.reduce((sum, period) => sum + period.unsaved, this.#lost);
    if (unsaved > 0) notes.push(`${unsaved} records could not be written to the disk`);
    return notes;
  }

  /** What has packets between two times, the newest first; `torn` is called where a file can't be read to its end. */
  async segments(from: number, to: number, torn: () => void): Promise<Segment[]> {
    const here = this.#periods.filter((one) => one.start - SLACK_MS < to && one.end + SLACK_MS > from).reverse();
    const inMemory = new Set(this.#periods.map(({ file }) => file));
    const files = (await this.#options.archive.list())
      .filter(({ name }) => !inMemory.has(name))
      .filter(({ start }) => start - SLACK_MS < to && start + PERIOD_MS + SLACK_MS > from)
      .reverse();
    return [
      ...here,
      ...files.map((file) => archivedSegment(this.#options.archive, file, file.start + PERIOD_MS, torn)),
    ];
  }

  /** One drain after the other, however many ask. Never rejects: what can't be saved stays in memory and is told. */
  drain(): Promise<void> {
    this.#working = this.#working.then(() => this.#drain()).catch((error: Error) => this.#failed(error));
    return this.#working;
  }

  async #drain(): Promise<void> {
    const { now, kernelNow, drain, identities } = this.#options;
    for (const [number, identity] of identities()) this.#know(number, identity);
    const raw = drain();
    const [kernelAt, at] = [kernelNow(), now()];
    const period = this.#current(at);
    let text = '';
    for (let from = 0; from < raw.length; from += BATCH) {
      text += this.#take(period, datedFlows(raw.slice(from, from + BATCH), kernelAt, at));
      await turn();
    }
    this.#since ??= raw.length > 0 ? at : undefined;
    await this.#save(period, text, raw.length);
    await this.#rotate(now());
    this.#problem = undefined;
  }

  /** The same object as long as it says the same. A right that is gone takes its contact with it: the last one counts. */
  #know(number: number, identity: Identity): void {
    const was = this.#known.get(number);
    const known = { ...identity, contact: identity.contact || (was?.contact ?? '') };
    if (!isDeepStrictEqual(known, was)) this.#known.set(number, known);
  }

  /** The open period: a clock that was set back makes a new one too. */
  #current(now: number): Period {
    const last = this.#periods.at(-1);
    if (last && last.start <= now && now < last.end) return last;
    const start = now - (now % PERIOD_MS);
    const period = new Period(start, start + PERIOD_MS, this.#options.random());
    this.#periods.push(period);
    return period;
  }

  /** Adds flows to a period, and returns the lines for its file. */
  #take(period: Period, flows: readonly Flow[]): string {
    const told = new Map<number, Identity>();
    for (const flow of flows) {
      const identity = this.#known.get(flow.sliver);
      if (identity && period.identities.get(flow.sliver) !== identity) told.set(flow.sliver, identity);
      period.add(flow, identity);
      this.#sums.add(flow, identity, period.start);
    }
    period.unsaved += flows.length;
    return identityLines(told) + flows.map(flowLine).join('');
  }

  /** Appends what was drained now; where an earlier append failed, writes the whole period instead. */
  async #save(period: Period, text: string, records: number): Promise<void> {
    if (period.unsaved === 0) return;
    const { archive, nodeName } = this.#options;
    const begin = period.file === undefined ? headerLine(nodeName, period.start) : '';
    const name = (period.file ??= await archive.freeName(period.start));
    const size = period.unsaved === records ? await archive.append(name, begin + text) : Infinity;
    if (size > MAX_OPEN_BYTES) await archive.replace(name, period.texts(nodeName));
    period.unsaved = 0;
  }

  /** Closes what has ended, forgets what is too old or too much, deletes what the owner does not want kept. */
  async #rotate(now: number): Promise<void> {
    const { archive, nodeName, retention } = this.#options;
    const last = this.#periods.at(-1);
    const ended = this.#periods.filter((one) => one !== last && one.file?.includes('.open.'));
    for (const period of ended) {
      period.file = await archive.close(period.file!, period.texts(nodeName));
      period.unsaved = 0;
    }
    let rows = 0;
    const kept = this.#periods.toReversed().filter((period) => {
      rows += period.table.rows;
      return period === last || (rows <= MEMORY_ROWS && period.end > now - HOUR_MS && period.start <= now);
    });
    for (const period of this.#periods) if (!kept.includes(period)) this.#lost += period.unsaved;
    this.#periods = kept.reverse();
    if (ended.length === 0 && now - this.#prunedAt < PERIOD_MS && now >= this.#prunedAt) return;
    this.#prunedAt = now;
    const removed = await archive.prune(retention(), now);
    if (removed > 0) this.#options.log.info({ files: removed }, 'the oldest flows were deleted');
    const [oldest] = await archive.list();
    this.#since = oldest?.start;
    const spoken = new Set([
      ...this.#options.identities().keys(),
      ...this.#periods.flatMap((one) => [...one.identities.keys()]),
    ]);
    for (const number of this.#known.keys()) if (!spoken.has(number)) this.#known.delete(number);
  }

  /** Open files of an earlier run: the present period's goes on, the others are closed; an hour of all comes back. */
  async #recover(): Promise<void> {
    const { archive, nodeName, log, now, random } = this.#options;
    await archive.prepare();
    const files = await archive.list();
    const closed = new Set(files.filter(({ open }) => !open).map(({ name }) => name));
    for (const { name, start, open } of files) {
      if (!open && start + PERIOD_MS < now() - HOUR_MS) continue;
      // a crash between the sums and the removal of what they were made from
      if (open && closed.has(name.replace('.open.', '.flows.'))) {
        await archive.remove(name);
        continue;
      }
      const period = new Period(start, start + PERIOD_MS, random());
      period.file = name;
      const torn = (): void => log.warn({ file: name }, 'a file of flows ended early: it is read as far as it goes');
      for await (const batch of archivedSegment(archive, { name, start }, period.end, torn).read()) {
        for (const { flow, owner } of batch) {
          period.add(flow, owner);
          this.#sums.add(flow, owner, start);
        }
      }
      for (const [number, identity] of period.identities) this.#known.set(number, identity);
      // appending to a torn member would lose all that follows
      if (open) await archive.replace(name, period.texts(nodeName));
      this.#periods.push(period);
    }
    this.#since = files[0]?.start;
    // so that what is left open of another period is closed by the first drain
    this.#current(now());
    await this.#rotate(now());
  }

  #failed(error: Error): void {
    if (this.#problem !== error.message) this.#options.log.error({ err: error }, 'flows could not be saved');
    this.#problem = error.message;
  }
}
