/** Names that turned out to be somebody else's when we wanted to give them. */
import type { KubeObject } from '../../kube/resources.ts';
import { nameKey } from './plan/input.ts';

/** Nobody tells us when such an object goes, so it is tried again after a while. */
const FORGET_MS = 30_000;

export class Taken {
  readonly #now: () => number;
  readonly #bySlice = new Map<string, Map<string, { object: KubeObject; until: number }>>();

  /** `now` in ms of a clock that only grows. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(slice: string, object: KubeObject): void {
    const names = this.#bySlice.get(slice) ?? new Map<string, { object: KubeObject; until: number }>();
    names.set(nameKey(object.kind, object.metadata.name), { object, until: this.#now() + FORGET_MS });
    this.#bySlice.set(slice, names);
  }

  get(slice: string, key: string): KubeObject | undefined {
    const found = this.#bySlice.get(slice)?.get(key);
    return found && found.until > this.#now() ? found.object : undefined;
  }

  /** In how many ms a name is to be tried again; undefined where none is taken. */
  retryMs(slice: string): number | undefined {
    const untils = [...(this.#bySlice.get(slice)?.values() ?? [])].map(({ until }) => until);
    return untils.length === 0 ? undefined : Math.max(0, Math.min(...untils) - this.#now());
  }

  /** The slice is gone, or its names are all tried again. */
  forget(slice: string): void {
    this.#bySlice.delete(slice);
  }

  prune(slice: string): void {
    const names = this.#bySlice.get(slice);
    for (const [key, { until }] of names ?? []) if (until <= this.#now()) names!.delete(key);
    if (names?.size === 0) this.#bySlice.delete(slice);
  }
}
