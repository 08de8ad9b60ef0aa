/** The ConfigMaps with boot scripts, read one by one: the operator has no right to list ConfigMaps. */
import type { ApiClient } from '../../kube/client.ts';
import { keyOf, Resources } from '../../kube/resources.ts';
import { bootConfigMapName } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { isControlledBy, isDeleting, type ConfigMap } from '../kinds.ts';

/** How long what was read is believed: nobody tells us when somebody deletes it. */
const BELIEVE_MS = 30_000;

export class BootScripts {
  readonly #client: ApiClient;
  readonly #now: () => number;
  readonly #known = new Map<string, { uid: string | undefined; found: ConfigMap | undefined; until: number }>();

  /** `now` in ms of a clock that only grows. */
  constructor(client: ApiClient, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** The slice's own ConfigMap, read only if the slice has a script, had one, or is being deleted. */
  async of(slice: Slice, signal: AbortSignal): Promise<ConfigMap | undefined> {
    const key = keyOf(slice);
    const known = this.#known.get(key);
    const deleting = isDeleting(slice);
    if (slice.spec.sliver.bootScript === undefined && !deleting && !known?.found) return undefined;
    if (known && known.uid === slice.metadata.uid && known.until > this.#now() && !deleting) return known.found;
    const { namespace, name } = slice.metadata;
    const ref = { namespace, name: bootConfigMapName(name) };
    const read = await this.#client.get<ConfigMap>(Resources.ConfigMap, ref, signal);
    const found = read && isControlledBy(read, slice) ? read : undefined;
    this.#known.set(key, { uid: slice.metadata.uid, found, until: this.#now() + BELIEVE_MS });
    return found;
  }

  /** Something was written, or the slice is gone: read again. */
  forget(key: string): void {
    this.#known.delete(key);
  }

  /** What the API server answered to a write of ours. */
  written(key: string, uid: string | undefined, found: ConfigMap): void {
    this.#known.set(key, { uid, found, until: this.#now() + BELIEVE_MS });
  }
}
