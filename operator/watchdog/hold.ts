/** The Restraints that a Watchdog holds, with what was written and the store does not show yet: the only place that writes them. */
import type { Restraint, Slice, Watchdog } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { Resources } from '../../kube/resources.ts';
import { isControlledBy, isDeleting } from '../kinds.ts';
import { MANAGER } from '../managers.ts';
import { mergePatch } from '../slice/plan/mergepatch.ts';
import { BY_CONTROLLER, controllerKey, type Stores } from '../stores.ts';
import { keyOfRestraint, restraintFor, specFor } from './restraint.ts';

/** A store that lags longer is broken. */
const BELIEVE_MS = 10_000;

export class Hold {
  readonly #client: ApiClient;
  readonly #stores: Stores;
  readonly #now: () => number;
  readonly #made = new Map<string, { restraint: Restraint; until: number }>();
  readonly #removed = new Map<string, number>();

  /** `now` in ms of a clock that only grows. */
  constructor(client: ApiClient, stores: Stores, now: () => number) {
    this.#client = client;
    this.#stores = stores;
    this.#now = now;
  }

  /** By key. One that is being deleted holds no more. */
  of({ kind, metadata }: Watchdog): Map<string, Restraint> {
    const now = this.#now();
    const seen = this.#stores.restraints.byIndex(BY_CONTROLLER, controllerKey({ kind, uid: metadata.uid }, undefined));
    const uids = new Set(seen.map((one) => one.metadata.uid));
    for (const [key, { restraint, until }] of this.#made) {
      if (until <= now || uids.has(restraint.metadata.uid)) this.#made.delete(key);
    }
    for (const [uid, until] of this.#removed) if (until <= now) this.#removed.delete(uid);
    const all = [...seen, ...[...this.#made.values()].map(({ restraint }) => restraint)];
    const held = all.filter((one) => !isDeleting(one) && !this.#removed.has(one.metadata.uid ?? ''));
    return new Map(held.map((one) => [keyOfRestraint(one), one]));
  }

  /** Throws where somebody else's Restraint has the name. */
  async restrain(watchdog: Watchdog, key: string, value: number, signal: AbortSignal): Promise<Restraint> {
    const wanted = restraintFor(watchdog, key, value);
    let restraint: Restraint | undefined;
    try {
      restraint = await this.#client.create(wanted, { fieldManager: MANAGER, signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      restraint = await this.#client.get<Restraint>(Resources.Restraint, wanted.metadata, signal);
      const isOurs = restraint && isControlledBy(restraint, watchdog) && keyOfRestraint(restraint) === key;
      if (!isOurs || isDeleting(restraint!))
        throw new Error(`Restraint ${wanted.metadata.name} is not of this Watchdog: delete it`, { cause: error });
    }
    this.#made.set(key, { restraint: restraint!, until: this.#now() + BELIEVE_MS });
    return restraint!;
  }

  async free(restraint: Restraint, signal: AbortSignal): Promise<void> {
    const { name, uid } = restraint.metadata;
    await this.#client.remove(Resources.Restraint, { name, uid }, { signal });
    this.#removed.set(uid ?? '', this.#now() + BELIEVE_MS);
    this.#made.delete(keyOfRestraint(restraint));
  }

  /** Brings a Restraint to what its Watchdog says now. */
  async keep(watchdog: Watchdog, key: string, restraint: Restraint, signal: AbortSignal): Promise<void> {
    const { name, uid } = restraint.metadata;
    const spec = specFor(watchdog, key, restraint.spec.reason);
    const patch = mergePatch({ spec: restraint.spec }, { spec });
    if (!patch) return;
    const answer = await this.#client.patch<Restraint>(
      Resources.Restraint,
      { name },
      { ...patch, metadata: { uid } },
      { fieldManager: MANAGER, signal },
    );
    this.#made.set(key, { restraint: answer, until: this.#now() + BELIEVE_MS });
  }

  /** Deletes the Slices that were there when they were restrained; namesakes that came later stay suspended. */
  async terminate(key: string, restraint: Restraint, signal: AbortSignal): Promise<Slice[]> {
    const since = Date.parse(restraint.metadata.creationTimestamp ?? '');
    const slices = this.#stores.slices.list().filter(({ metadata: { namespace, name, creationTimestamp = '' } }) => {
      const isMeant = key === namespace || key === `${namespace}/${name}`;
      return isMeant && Date.parse(creationTimestamp) <= since;
    });
    const present = slices.filter((slice) => !isDeleting(slice));
    for (const { metadata } of present) {
      const { namespace, name, uid } = metadata;
      await this.#client.remove(Resources.Slice, { namespace, name, uid }, { propagation: 'Background', signal });
    }
    return present;
  }
}
