/** The Sensors that this node serves: of all in the cluster those that concern it, kept in step with them. */
import { isDeepStrictEqual } from 'node:util';
import { sensorPath } from '../../crds/names.ts';
import type { Sensor, ServedSensor } from '../../crds/types.ts';
import { keyOf } from '../../kube/resources.ts';
import type { Sliver } from '../sliver.ts';
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
  timer: NodeJS.Timeout | undefined;
}

export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #served = new Map<string, Served>();
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
    for (const [name, { sensor, source, timer }] of this.#served) {
      const now = wanted.get(name);
      if (now && now.metadata.uid === sensor.metadata.uid && isDeepStrictEqual(now.spec, sensor.spec)) continue;
      clearInterval(timer);
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
    const source = new CustomSource(sensor, { agents, sliver, now });
    const timer = source.everyMs === undefined ? undefined : setInterval(() => this.#read(source), source.everyMs);
    timer?.unref();
    return { sensor, source, timer };
  }
}
