/** Where readings come from: what every sensor is to the registry, whoever wrote it. */
import type { Cell, Reading } from '../../crds/reading.ts';
import type { SensorReason } from '../../crds/conditions.ts';
import { type Asker, SensorError, type SensorFailure, type SensorInfo } from './registry.ts';

/** Whoever listens to a stream. Neither call may wait or throw. */
export interface Listener {
  row(row: readonly Cell[]): void;
  /** No row follows; without an error it came to its end by itself. */
  end(error?: Error): void;
}

/** Rows that come by themselves; read once, however many listen. */
export interface Stream {
  /** The returned function ends it for this listener. */
  follow(listener: Listener): () => void;
}

export interface Source {
  readonly info: SensorInfo;
  /** A reading that takes longer has failed. */
  readonly timeoutMs: number;
  /** Whether what it answers these arguments is for the asker alone: then nobody else gets it, nor learns that it was asked. */
  isOwn?(args: readonly string[], asker: Asker): boolean;
  /** Where access is Restricted. */
  mayRead?(asker: Asker): boolean;
  /** What it says at this instant; of a stream, its last row. Rejects with an Error that a person can act on. */
  read(args: readonly string[], asker: Asker, signal: AbortSignal): Promise<Reading>;
  /** Its last readings, the oldest first, each row with its time; undefined where none are kept. */
  history?(): Reading | undefined;
  /** Of a Streaming one. */
  stream?: Stream;
}

/** A reading of a Sensor that failed, in the words of its status. */
export class SourceError extends SensorError {
  readonly word: keyof typeof SensorReason;

  constructor(word: keyof typeof SensorReason, message: string) {
    super(FAILURES[word] ?? 'Failed', message);
    this.word = word;
  }
}

const FAILURES: Partial<Record<keyof typeof SensorReason, SensorFailure>> = {
  TimedOut: 'TimedOut',
  TooLarge: 'TooLarge',
  TooMany: 'Busy',
};
