/** The Sensors that this node serves: of all in the cluster those that concern it, kept in step with them. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { sensorPath } from '../../crds/names.ts';
import type { Sensor, ServedSensor } from '../../crds/types.ts';
import { keyOf } from '../../kube/resources.ts';
import type { Sliver } from '../sliver.ts';
import { Allowance } from './allowance.ts';
import { CustomSource, type CustomParts } from './custom.ts';
import { planServed } from './plan.ts';
import type { Source } from './source.ts';

export interface CatalogueOptions {
  nodeName: string;
  /** Where cluster admins alone write: file sensors come from there. */
  releaseNamespace: string;
  agents: CustomParts['agents'];
  now(): number;
}

interface Served {
  sensor: Sensor;
  source: CustomSource;
  stop(): void;
}

const MAX_NAMESPACES = 1_024;
/** Characters of what the Sensors of one namespace say: some hundredths of a second of each second. */
const PARSED = { perSecond: 2 ** 19, burst: 2 ** 22 };

export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #served = new Map<string, Served>();
  /** By namespace, of those that are served. */
  readonly #parsing = new Map<string, Allowance>();
  #slivers: readonly Sliver[] = [];
  #sources: ReadonlyMap<string, Source> = new Map();
  #read: (source: CustomSource) => void = () => {};

  constructor(options: CatalogueOptions) {
    this.#options = options;
  }

  /** By the first part of their addresses; the same map until one comes, changes or goes. */
  sources(): ReadonlyMap<string, Source> {
    return this.#sources;
  }

  /** How those with a history are read when their time has come. */
  onDue(read: (source: CustomSource) => void): void {
    this.#read = read;
  }

  update(sensors: readonly Sensor[], slivers: readonly Sliver[]): void {
    this.#slivers = slivers;
    const wanted = new Map(planServed(sensors, slivers, this.#options).map((sensor) => [sensorPath(sensor), sensor]));
    for (const [name, { sensor, source, stop }] of this.#served) {
      const now = wanted.get(name);
      if (now && now.metadata.uid === sensor.metadata.uid && isDeepStrictEqual(now.spec, sensor.spec)) continue;
      stop();
      source.close();
      this.#served.delete(name);
    }
    for (const [name, sensor] of wanted) if (!this.#served.has(name)) this.#served.set(name, this.#serve(sensor));
    const isSame =
      this.#served.size === this.#sources.size &&
      [...this.#served].every(([name, { source }]) => this.#sources.get(name) === source);
    // another map says that there is something new
    if (!isSame) this.#sources = new Map([...this.#served].map(([name, { source }]) => [name, source]));
  }

  /** For the SliceNode's status, by name. */
  status(): ServedSensor[] {
    return [...this.#served.values()]
      .map(({ sensor, source }) => source.record.status(keyOf(sensor), sensor.metadata.generation))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Changes when a person should hear of it: not with every reading. */
  verdict(): string {
    return JSON.stringify([...this.#served].map(([name, { source }]) => [name, source.record.verdict]));
  }

  close(): void {
    this.update([], []);
  }

  #serve(sensor: Sensor): Served {
    const { namespace } = sensor.metadata;
    const sliver = (): Sliver | undefined =>
      this.#slivers.find(
        (one) => one.standing === 'entitled' && one.rcap.namespace === namespace && one.slice === sensor.spec.slice,
      );
    const { agents, now } = this.#options;
    const source = new CustomSource(sensor, { agents, sliver, now, parsing: this.#parsingOf(namespace ?? '') });
    return { sensor, source, stop: this.#repeat(source) };
  }

  /** Those that came together are not read together: each has its own place in the time between two readings. */
  #repeat(source: CustomSource): () => void {
    const { everyMs, info } = source;
    if (everyMs === undefined) return () => undefined;
    const place = createHash('sha256').update(info.name).digest().readUInt32LE() / 2 ** 32;
    let timer = setTimeout(() => {
      this.#read(source);
      timer = setInterval(() => this.#read(source), everyMs).unref();
    }, place * everyMs).unref();
    return () => clearTimeout(timer);
  }

  #parsingOf(namespace: string): Allowance {
    const known = this.#parsing.get(namespace) ?? new Allowance(PARSED.perSecond, PARSED.burst, performance.now());
    if (this.#parsing.size >= MAX_NAMESPACES) this.#parsing.clear();
    this.#parsing.set(namespace, known);
    return known;
  }
}
