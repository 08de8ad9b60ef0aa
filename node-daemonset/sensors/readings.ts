/** The sensors of a node as one: each is read at most once in its cache time, however many ask. */
import type { Reading } from '../../crds/reading.ts';
import { type Asker, SensorError, type SensorFailure, type SensorInfo, type Sensors } from './registry.ts';
import { type Source, SourceError, type Stream } from './source.ts';
import { weightOf } from './weight.ts';

/** Answers that are kept; beyond it the oldest go, as what is asked for is the askers' choice. */
const MAX_KEPT = 512;
/** By weight; their bytes in both forms are kept with them. */
const MAX_KEPT_WEIGHT = 2 ** 24;
/** A sensor that fails is not tried again for every asker, but soon. */
const FAILURE_MS = 2_000;

/** Nobody else has to hear of these. */
const OF_THE_ASKER: ReadonlySet<SensorFailure> = new Set(['NotFound', 'BadArguments', 'Busy', 'Forbidden']);

interface Kept {
  source: Source;
  reading: Promise<Reading>;
  /** By the monotonic clock; Infinity while it is being read. */
  until: number;
  /** 0 while it is being read. */
  weight: number;
}

export interface SensorRegistryOptions {
  /** The sensors as they are now, by name; one that was changed is another object, and where any was, so is the map. */
  sources(): ReadonlyMap<string, Source>;
  /** ms of a clock that only grows. */
  clock?: () => number;
}

export class SensorRegistry implements Sensors {
  readonly #sources: () => ReadonlyMap<string, Source>;
  readonly #clock: () => number;
  readonly #kept = new Map<string, Kept>();
  #weight = 0;
  #listed: { sources: ReadonlyMap<string, Source>; list: readonly SensorInfo[] } | undefined;

  constructor({ sources, clock = () => performance.now() }: SensorRegistryOptions) {
    this.#sources = sources;
    this.#clock = clock;
  }

  /** The same list until there are others. */
  list(): readonly SensorInfo[] {
    const sources = this.#sources();
    if (this.#listed?.sources !== sources) {
      const list = [...sources.values()].map(({ info }) => info).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      this.#listed = { sources, list };
    }
    return this.#listed.list;
  }

  async read(name: string, args: readonly string[], asker: Asker, signal: AbortSignal): Promise<Reading> {
    const source = this.#find(name, asker);
    if (args.length === 1 && args[0] === 'history' && source.history) return this.#history(source);
    if (args.length > 0 && source.info.arguments === undefined) {
      throw new SensorError('NotFound', `${name} takes nothing after its name`);
    }
    return await untilAborted(this.#shared(source, args, asker), signal);
  }

  /** What it is, and its stream where it is one. Throws SensorError. */
  open(name: string, asker: Asker): { info: SensorInfo; stream: Stream | undefined } {
    const { info, stream } = this.#find(name, asker);
    return { info, stream };
  }

  /** ms for which the same will be answered to whoever asks, by the reading's own time. */
  freshFor(name: string, reading: Reading, now: number): number {
    const cacheMs = this.#sources().get(name)?.info.cacheMs ?? 0;
    return Math.max(0, reading.time + cacheMs - now);
  }

  #find(name: string, asker: Asker): Source {
    const source = this.#sources().get(name);
    if (!source) throw new SensorError('NotFound', `there is no sensor ${JSON.stringify(name)} here: / lists them`);
    const { access } = source.info;
    if (access === 'Public' || asker.kind === 'node') return source;
    const asks = `ask over the sliver's own socket: curl --unix-socket /run/slice/sensors http://node/${name}`;
    if (asker.kind === 'public') {
      throw new SensorError('Forbidden', `${name} does not answer everybody, and TCP does not tell who asks: ${asks}`);
    }
    if (access === 'Restricted' && !source.mayRead?.(asker)) {
      throw new SensorError('Forbidden', `${name} does not answer slice ${asker.slice}: its spec.slices says whom`);
    }
    return source;
  }

  #history(source: Source): Reading {
    const reading = source.history?.();
    if (!reading) throw new SensorError('NotFound', `${source.info.name} keeps no history: its spec.history is 0`);
    return reading;
  }

  #shared(source: Source, args: readonly string[], asker: Asker): Promise<Reading> {
    const { name, access, cacheMs } = source.info;
    const isOwn = access === 'Own' || source.isOwn?.(args, asker);
    const whose = isOwn && asker.kind === 'sliver' ? asker.slice : isOwn ? asker.kind : '';
    const key = JSON.stringify([name, whose, ...args]);
    const known = this.#kept.get(key);
    if (known && known.source === source && known.until > this.#clock()) return known.reading;
    const reading = withDeadline(source, args, asker);
    const kept: Kept = { source, reading, until: Infinity, weight: 0 };
    this.#forget(key);
    this.#kept.set(key, kept);
    this.#trim();
    reading.then(
      ({ rows }) => this.#keep(key, kept, rows),
      (error: Error) => {
        const isAskers = error instanceof SensorError && OF_THE_ASKER.has(error.reason);
        if (!isAskers) kept.until = this.#clock() + Math.min(cacheMs, FAILURE_MS);
        else if (this.#kept.get(key) === kept) this.#forget(key);
      },
    );
    return reading;
  }

  #forget(key: string): void {
    this.#weight -= this.#kept.get(key)?.weight ?? 0;
    this.#kept.delete(key);
  }

  #keep(key: string, kept: Kept, rows: Reading['rows']): void {
    kept.until = this.#clock() + kept.source.info.cacheMs;
    if (this.#kept.get(key) !== kept) return;
    kept.weight = weightOf(rows, Infinity);
    this.#weight += kept.weight;
    this.#trim();
  }

  /** The oldest go first. */
  #trim(): void {
    for (const [oldest, { weight }] of this.#kept) {
      const fits = this.#weight <= MAX_KEPT_WEIGHT;
      if (this.#kept.size <= MAX_KEPT && fits) break;
      // what is being read, others wait for
      if (this.#kept.size > MAX_KEPT || weight > 0) this.#forget(oldest);
    }
  }
}

/** Ends by its deadline, whatever the source does; nobody who stops waiting ends it for the others. */
function withDeadline(source: Source, args: readonly string[], asker: Asker): Promise<Reading> {
  const ending = new AbortController();
  const { info, timeoutMs } = source;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new SourceError('TimedOut', `${info.name}: no reading within ${timeoutMs / 1000} s`);
    ending.abort(error);
    late.reject(error);
  }, timeoutMs);
  const read = (async () => source.read(args, asker, ending.signal))();
  return Promise.race([read, late.promise]).finally(() => {
    clearTimeout(timer);
    ending.abort();
  });
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new SensorError('Failed', 'nobody waits for it any more'));
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
