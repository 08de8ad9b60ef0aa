/**
 * How fast counters grow. The node samples them in its own time: a window between two readings would be the askers' choice, and
 * whoever asks just before others makes it as short and as quiet as suits him.
 */
import type { ClassCounters } from '../../egress/tc.ts';
import type { Sliver } from '../../sliver.ts';
import { sentThrough } from './sent.ts';

const SAMPLE_MS = 5_000;
/** A window is of so many of them: whoever reads once in a window misses nothing of it. */
const WINDOW = 2;

interface Sample {
  at: number;
  values: ReadonlyMap<string, number>;
}

export class Rates {
  #samples: Sample[] = [];

  /** `now` in ms of a clock that only grows. */
  sample(values: ReadonlyMap<string, number>, now: number): void {
    this.#samples = [...this.#samples.slice(-WINDOW), { at: now, values }];
  }

  /** Per second in the last window; null before it is known twice, and where the counter began anew. */
  of(key: string): number | null {
    const known = this.#samples.flatMap(({ at, values }) => {
      const value = values.get(key);
      return value === undefined ? [] : [{ at, value }];
    });
    const [first] = known;
    const last = known.at(-1);
    const fell = known.some(({ value }, i) => i > 0 && value < known[i - 1]!.value);
    if (!first || !last || fell || last.at <= first.at) return null;
    return ((last.value - first.value) * 1000) / (last.at - first.at);
  }
}

export interface SliverRates {
  /** Bytes a second, by pod uid. */
  sent: Pick<Rates, 'of'>;
  /** ns of CPU a second, likewise. */
  cpu: Pick<Rates, 'of'>;
}

export interface SampledParts {
  slivers(): readonly Sliver[];
  classes(): ReadonlyMap<number, ClassCounters>;
  /** ns, by pod uid. */
  cpuTimes(): ReadonlyMap<string, number>;
  clock(): number;
}

/** Samples by itself until it is closed. What can't be read now is in the next sample. */
export function startRates(parts: SampledParts): { rates: SliverRates; sample(): void; close(): void } {
  const rates = { sent: new Rates(), cpu: new Rates() };
  const sample = (): void => {
    const slivers = parts.slivers();
    const classes = slivers.length > 0 ? parts.classes() : new Map<number, ClassCounters>();
    const sent = slivers.flatMap(({ id, classId }) => {
      const bytes = sentThrough(classes, classId)?.bytes;
      return bytes === undefined ? [] : [[id, bytes] as const];
    });
    rates.sent.sample(new Map(sent), parts.clock());
    rates.cpu.sample(slivers.length > 0 ? parts.cpuTimes() : new Map(), parts.clock());
  };
  const timer = setInterval(() => {
    try {
      sample();
    } catch {
      // the window is longer by one sample then
    }
  }, SAMPLE_MS).unref();
  return { rates, sample, close: () => clearInterval(timer) };
}
