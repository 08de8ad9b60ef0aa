/**
 * What the slices of each site hold and want, as their plans left it: stores show a write only after it was made, and two slices
 * that are planned in between must not have the same shares. In memory alone: after a restart the rights themselves tell.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import { keyOf } from '../../kube/resources.ts';
import { BY_CONTROLLER, BY_NAMESPACE, BY_SITE, controllerKey, type Stores } from '../stores.ts';
import { heldBy } from './held.ts';
import { ageOf, type Account, type Pool } from './pool.ts';
import { merged } from './profile.ts';
import { sharesOf, siteOf, type SiteShares } from './sites.ts';

/** A slice that can't be looked at keeps the younger ones of its site waiting that long. */
const PATIENCE_MS = 5_000;

interface Entry {
  account: Account;
  site: string;
  uid: string | undefined;
  generation: number | undefined;
}

export class Books {
  readonly #shares: SiteShares;
  readonly #stores: Pick<Stores, 'slices' | 'capabilities' | 'namespaces'>;
  readonly #now: () => number;
  readonly #wake: (key: string) => void;
  readonly #entries = new Map<string, Entry>();
  /** By the site's name: the slices that were refused something. */
  readonly #refused = new Map<string, Set<string>>();
  readonly #waitsSince = new Map<string, number>();

  /** `now` in ms of a clock that only grows; `wake` has a slice looked at again, by its key. */
  constructor(
    shares: SiteShares,
    stores: Pick<Stores, 'slices' | 'capabilities' | 'namespaces'>,
    now: () => number,
    wake: (key: string) => void,
  ) {
    this.#wake = wake;
    this.#shares = shares;
    this.#stores = stores;
    this.#now = now;
  }

  /** The pool of the slice's site, as it is for this slice now. */
  poolOf(slice: Slice, nodes: number): Pool {
    const key = keyOf(slice);
    const { namespace = '' } = slice.metadata;
    const site = this.#siteOf(namespace);
    const others = this.#slicesOf(namespace).filter((one) => keyOf(one) !== key);
    const isUnknown = this.#stores.namespaces.get(namespace) === undefined;
    const isOpen = isUnknown || others.some((one) => ageOf(one) < ageOf(slice) && !this.#isKnown(one));
    if (!isOpen) this.#waitsSince.delete(key);
    else if (!this.#waitsSince.has(key)) this.#waitsSince.set(key, this.#now());
    const isWaiting = isOpen && this.#now() - this.#waitsSince.get(key)! < PATIENCE_MS;
    const accounts = others.map((one) => this.#accountOf(one));
    return { site: site.name, perNode: sharesOf(this.#shares, site, namespace), nodes, others: accounts, isWaiting };
  }

  /** What the slice's last plan left. Those that were refused are looked at again where it may change their lot. */
  write(slice: Slice, account: Account): void {
    const key = keyOf(slice);
    const { uid, generation, namespace = '' } = slice.metadata;
    const { name: site } = this.#siteOf(namespace);
    const before = this.#entries.get(key);
    const isSame = before?.uid === uid && before?.site === site && isDeepStrictEqual(before.account, account);
    this.#remove(key);
    this.#entries.set(key, { account, site, uid, generation });
    if (account.wants.length > 0) this.#refused.set(site, (this.#refused.get(site) ?? new Set()).add(key));
    if (!isSame) this.#wakeRefused(new Set([before?.site ?? site, site]), key);
  }

  /** The slice is gone; those that were refused may have its shares. */
  forget(key: string): void {
    this.#waitsSince.delete(key);
    const site = this.#remove(key);
    if (site !== undefined) this.#wakeRefused(new Set([site]), key);
  }

  #wakeRefused(sites: ReadonlySet<string>, but: string): void {
    for (const site of sites) {
      for (const key of this.#refused.get(site) ?? []) if (key !== but) this.#wake(key);
    }
  }

  #remove(key: string): string | undefined {
    const site = this.#entries.get(key)?.site;
    this.#entries.delete(key);
    const refused = this.#refused.get(site ?? '');
    refused?.delete(key);
    if (refused?.size === 0) this.#refused.delete(site!);
    return site;
  }

  #isKnown(slice: Slice): boolean {
    const entry = this.#entries.get(keyOf(slice));
    // one that is being deleted asks for nothing any more
    if (slice.metadata.deletionTimestamp !== undefined) return true;
    return entry?.uid === slice.metadata.uid && entry?.generation === slice.metadata.generation;
  }

  /** Of a slice that was not planned yet, what its rights show. One that is being deleted wants nothing more. */
  #accountOf(slice: Slice): Account {
    const entry = this.#entries.get(keyOf(slice));
    const isEnding = slice.metadata.deletionTimestamp !== undefined;
    if (entry && entry.uid === slice.metadata.uid) return isEnding ? { ...entry.account, wants: [] } : entry.account;
    const { namespace = '', uid } = slice.metadata;
    const rights: ResourceCapability[] = this.#stores.capabilities.byIndex(
      BY_CONTROLLER,
      controllerKey({ kind: 'Slice', uid }, namespace),
    );
    return { slice: keyOf(slice), age: ageOf(slice), held: merged(rights.flatMap(heldBy)), wants: [] };
  }

  #siteOf(namespace: string) {
    return siteOf(this.#stores.namespaces.get(namespace) ?? { metadata: { name: namespace } });
  }

  #slicesOf(namespace: string): Slice[] {
    const { label } = this.#siteOf(namespace);
    const names =
      label === undefined
        ? [namespace]
        : this.#stores.namespaces.byIndex(BY_SITE, label).map(({ metadata }) => metadata.name);
    return names.flatMap((name) => this.#stores.slices.byIndex(BY_NAMESPACE, name));
  }
}
