/** Names that turned out to be somebody else's when we wanted to give them. */
import type { ApiClient } from '../../kube/client.ts';
import { resourceOf, type KubeObject } from '../../kube/resources.ts';
import { controllerOf } from '../kinds.ts';
import { nameKey } from './plan/input.ts';

/** Nobody tells us when such an object goes, so it is read again after a while. */
const BELIEVE_MS = 30_000;

export class Taken {
  readonly #now: () => number;
  readonly #bySlice = new Map<string, Map<string, { object: KubeObject; until: number }>>();

  /** `now` in ms of a clock that only grows. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(slice: string, object: KubeObject): void {
    const names = this.#bySlice.get(slice) ?? new Map<string, { object: KubeObject; until: number }>();
    names.set(nameKey(object.kind, object.metadata.name), { object, until: this.#now() + BELIEVE_MS });
    this.#bySlice.set(slice, names);
  }

  get(slice: string, key: string): KubeObject | undefined {
    return this.#bySlice.get(slice)?.get(key)?.object;
  }

  /** In how many ms a name is to be looked at again; undefined where none is taken. */
  retryMs(slice: string): number | undefined {
    const untils = [...(this.#bySlice.get(slice)?.values() ?? [])].map(({ until }) => until);
    return untils.length === 0 ? undefined : Math.max(0, Math.min(...untils) - this.#now());
  }

  /** The slice is gone. */
  forget(slice: string): void {
    this.#bySlice.delete(slice);
  }

  /** Reads again what was read a while ago; it stays taken until the server says that it is gone, or another's by now. */
  async refresh(slice: string, client: Pick<ApiClient, 'get'>, signal: AbortSignal): Promise<void> {
    const names = this.#bySlice.get(slice);
    for (const [key, { object, until }] of names ?? []) {
      if (until > this.#now()) continue;
      const present = await client.get(resourceOf(object), object.metadata, signal);
      if (present && isSame(present, object)) this.add(slice, present);
      else names!.delete(key);
    }
    if (names?.size === 0) this.#bySlice.delete(slice);
  }
}

/** The same object with the same controller: whatever else it is by now, its creation by us would still be refused. */
function isSame(one: KubeObject, other: KubeObject): boolean {
  return one.metadata.uid === other.metadata.uid && controllerOf(one)?.uid === controllerOf(other)?.uid;
}
