/** What a node's sensors are to those who read them: a list, and a reading of each for whoever may have it. */
import type { Column, Reading } from '../../crds/reading.ts';

/**
 * Who asks. `public`: anybody on this machine, as TCP tells no more. `sliver`: a sliver of that slice, `<namespace>/<name>`,
 * as its socket tells. `node`: the node manager itself; nothing is kept from it.
 */
export type Asker = { kind: 'public' } | { kind: 'sliver'; slice: string } | { kind: 'node' };

export interface SensorInfo {
  /** The first part of its address. Builtins have no dot; those of users are `<namespace>.<name>`. */
  name: string;
  origin: 'Builtin' | 'File' | 'Command' | 'HTTP';
  type: 'Snapshot' | 'Streaming';
  description: string;
  /** What may follow the name in the address, such as `[namespace/]slice`; undefined: nothing. */
  arguments?: string;
  /** Of a sensor that takes arguments those of its answer without any. */
  columns: readonly Column[];
  /** A reading is answered for so long, to all who ask, in ms. */
  cacheMs: number;
  /** Whom it answers: everybody, some slices, or each slice about itself alone. */
  access: 'Public' | 'Restricted' | 'Own';
  /** Whether Prometheus gets the columns with `metric`. */
  exported: boolean;
}

export interface Sensors {
  /** All of this node, by name. */
  list(): readonly SensorInfo[];
  /** Rejects with SensorError. What others asked for within the cache time is not read again. */
  read(name: string, args: readonly string[], asker: Asker, signal: AbortSignal): Promise<Reading>;
}

/**
 * Why there is no reading: `NotFound` no such sensor or object of its arguments, `BadArguments`, `Forbidden` for this
 * asker, `Busy` too many at once, `Failed` the sensor itself, `TimedOut`, `TooLarge`.
 */
export type SensorFailure = 'NotFound' | 'BadArguments' | 'Forbidden' | 'Busy' | 'Failed' | 'TimedOut' | 'TooLarge';

export class SensorError extends Error {
  override readonly name = 'SensorError';
  readonly reason: SensorFailure;

  constructor(reason: SensorFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}
