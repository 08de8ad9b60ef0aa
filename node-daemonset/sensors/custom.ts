/** A Sensor object as a source: its file, command or page, read, parsed and remembered. */
import { sensorPath } from '../../crds/names.ts';
import type { Cell, Column, Reading } from '../../crds/reading.ts';
import type { Sensor, SensorSpec } from '../../crds/types.ts';
import type { Sliver } from '../sliver.ts';
import type { Allowance } from './allowance.ts';
import type { Agents } from './agents.ts';
import { Broadcast, History } from './broadcast.ts';
import { readFileSensor } from './file.ts';
import { readHttpSensor } from './http.ts';
import { lineParser, parseText, type Shape } from './parse.ts';
import { Record } from './record.ts';
import type { Asker, SensorInfo } from './registry.ts';
import { type Source, SourceError } from './source.ts';
import { Collected, Lines } from './text.ts';

export interface CustomParts {
  agents: Pick<Agents, 'run'>;
  /** The sliver of the Sensor's slice on this node, as it is now; undefined: there is none. */
  sliver(): Sliver | undefined;
  now(): number;
  /** Characters that may be parsed now for the Sensors of its namespace. */
  parsing: Pick<Allowance, 'take'>;
}

const SECOND_MS = 1_000;
const DEFAULT_CACHE_S = 5;
const DEFAULT_TIMEOUT_S = 5;
/** A Sensor with a history is read no more often by itself. */
const LEAST_EVERY_MS = 10 * SECOND_MS;

export class CustomSource implements Source {
  readonly info: SensorInfo;
  readonly timeoutMs: number;
  readonly record = new Record();
  readonly stream: Broadcast | undefined;
  /** How often it is read whether somebody asks or not; undefined: it is not. */
  readonly everyMs: number | undefined;
  readonly #spec: SensorSpec;
  readonly #namespace: string;
  readonly #parts: CustomParts;
  readonly #shape: Shape;
  readonly #history: History;
  #last: Reading | undefined;

  /** The Sensor must be a valid one. */
  constructor(sensor: Sensor, parts: CustomParts) {
    const { spec, metadata } = sensor;
    this.#spec = spec;
    this.#parts = parts;
    this.#namespace = metadata.namespace ?? '';
    const format = spec.format ?? (spec.file ? 'KeyValue' : 'CSV');
    this.#shape = { format, columns: spec.columns, heading: spec.heading ?? false };
    const isStream = spec.type === 'Streaming';
    const cacheMs = isStream ? 0 : (spec.cacheSeconds ?? DEFAULT_CACHE_S) * SECOND_MS;
    const columns = spec.columns.map(({ name, type, unit, help, metric }): Column => {
      return { name, type, ...(unit && { unit }), ...(help && { help }), ...(metric && { metric }) };
    });
    this.info = {
      name: sensorPath(sensor),
      origin: spec.file ? 'File' : spec.command ? 'Command' : 'HTTP',
      type: spec.type ?? 'Snapshot',
      description: spec.description ?? '',
      columns,
      cacheMs,
      access: spec.access === 'Slices' ? 'Restricted' : 'Public',
      exported: spec.export ?? false,
    };
    this.timeoutMs = (spec.timeoutSeconds ?? DEFAULT_TIMEOUT_S) * SECOND_MS;
    this.#history = new History(columns, spec.history ?? 0);
    this.everyMs = spec.history && !isStream ? Math.max(cacheMs, LEAST_EVERY_MS) : undefined;
    if (isStream) this.stream = this.#broadcast();
  }

  mayRead(asker: Asker): boolean {
    if (asker.kind !== 'sliver') return asker.kind === 'node';
    return asker.slice === `${this.#namespace}/${this.#spec.slice}` || (this.#spec.slices ?? []).includes(asker.slice);
  }

  async read(_args: readonly string[], _asker: Asker, signal: AbortSignal): Promise<Reading> {
    if (this.stream) return this.#last ?? this.#reading([]);
    try {
      const text = await this.#text(signal);
      // programs run elsewhere, but what they write is read by the process that keeps the node's promises
      if (!this.#parts.parsing.take(performance.now(), text.length)) {
        throw new SourceError(
          'TooLarge',
          'the Sensors of its namespace gave more text than is read at a time: fewer or less often',
        );
      }
      const reading = this.#reading(parseText(text, this.#shape));
      this.record.succeeded();
      this.#history.add(reading);
      return reading;
    } catch (error) {
      this.record.failed(error as Error, this.#parts.now());
      throw error;
    }
  }

  history(): Reading | undefined {
    return this.#history.read(this.#parts.now());
  }

  /** Ends what runs, and those who listen. */
  close(): void {
    this.stream?.close();
  }

  async #text(signal: AbortSignal): Promise<string> {
    if (this.#spec.file) return await readFileSensor(this.#spec.file.path, signal);
    const output = new Collected();
    await this.#run((chunk) => output.add(chunk), signal, this.timeoutMs);
    return output.text();
  }

  /** Rejects, too, where the sliver has gone or lost its right. */
  async #run(onOutput: (chunk: Buffer) => void, signal: AbortSignal, timeoutMs: number | undefined): Promise<void> {
    const { command, http, slice } = this.#spec;
    const sliver = this.#parts.sliver();
    if (sliver?.standing !== 'entitled') {
      throw new SourceError('Unreachable', `slice ${this.#namespace}/${slice} has no sliver on this node now`);
    }
    // ended from here in its time; the agent does it where this process could not
    const agentMs = timeoutMs && timeoutMs + SECOND_MS;
    if (command) await this.#parts.agents.run(sliver.id, { argv: command.argv, timeoutMs: agentMs, onOutput, signal });
    else await readHttpSensor({ sliver, port: http!.port, path: http!.path ?? '/', onOutput, signal });
  }

  #broadcast(): Broadcast {
    const { now } = this.#parts;
    return new Broadcast({
      run: async (row, signal) => {
        const parse = lineParser(this.#shape);
        const lines = new Lines((line) => {
          const cells = parse(line);
          if (cells) row(cells);
        });
        await this.#run((chunk) => lines.add(chunk, now()), signal, undefined);
      },
      onRow: (row) => {
        this.#last = this.#reading([row]);
        this.#history.add(this.#last);
        this.record.succeeded();
      },
      onEnd: (error) => {
        if (error) this.record.failed(error, now());
      },
    });
  }

  #reading(rows: readonly (readonly Cell[])[]): Reading {
    return { columns: this.info.columns, rows, time: this.#parts.now() };
  }
}
