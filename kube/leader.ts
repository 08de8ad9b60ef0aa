/**
 * Leader election by a Lease, with fencing. Two clocks never meet: others' renewals are timed by our own monotonic clock from
 * when we saw them, and our own lease counts from when we *sent* the renewal. `fence` is called before each write and throws
 * from the lease's deadline on, so that a leader that was stopped and continued writes nothing.
 */
import type { ApiClient } from './client.ts';
import { FencedError, isAlreadyExists, isStatus } from './errors.ts';
import type { Log } from './log.ts';
import { Resources, type KubeObject } from './resources.ts';

export interface LeaseObject extends KubeObject {
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export interface LeaderOptions {
  /** A client without a fence: its writes are what the fence rests on. */
  client: ApiClient;
  namespace: string;
  name: string;
  identity: string;
  log: Log;
  /** Others wait this long after the last renewal they saw. */
  leaseMs?: number;
  /** The leader stops writing this long after the last renewal it sent; the rest is for requests under way. */
  renewDeadlineMs?: number;
  retryMs?: number;
  now?: () => number;
}

const LEASE_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

/** The metav1.MicroTime of now. */
export const microTime = (date = new Date()): string => date.toISOString().replace('Z', '000Z');

export class Leader {
  readonly #options: LeaderOptions;
  readonly #now: () => number;
  readonly #elected = Promise.withResolvers<void>();
  readonly #lost = new AbortController();
  #deadline = -Infinity;
  #seen: { record: string; at: number } | undefined;
  #stopping = new AbortController();

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Resolves when this process leads for the first time. */
  get elected(): Promise<void> {
    return this.#elected.promise;
  }

  /** Fires when leadership was had and lost; it does not come back to this process. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get leading(): boolean {
    return !this.#lost.signal.aborted && this.#now() < this.#deadline;
  }

  /** Before every write: throws FencedError unless this process leads, by its own clock, now. */
  readonly fence = (): void => {
    if (this.leading) return;
    if (this.#deadline > -Infinity) this.#lose('its lease has passed');
    throw new FencedError(`${this.#options.identity} does not lead and writes nothing`);
  };

  /** Tries to lead, then stays it; returns when leadership is lost or `stop` was called. */
  async run(): Promise<void> {
    const { log, identity, retryMs = RETRY_MS } = this.#options;
    while (!this.#stopping.signal.aborted && !this.#lost.signal.aborted) {
      const sent = this.#now();
      try {
        const won = await this.#tryRenew();
        if (won) this.#deadline = Math.max(this.#deadline, sent + (this.#options.renewDeadlineMs ?? RENEW_DEADLINE_MS));
        if (won && this.leading) this.#elected.resolve();
        else if (!won && this.#deadline > -Infinity) this.#lose('another process took the lease');
      } catch (error) {
        log.warn({ identity, err: (error as Error).message }, 'the lease could not be renewed');
      }
      if (this.#deadline > -Infinity && !this.leading) this.#lose('its lease has passed');
      await this.#sleep(retryMs);
    }
  }

  /** Gives the lease back, so that the next leader need not wait for it. Call when no write is under way any more. */
  async stop(): Promise<void> {
    const led = this.leading;
    this.#stopping.abort();
    this.#deadline = -Infinity;
    if (!led) return;
    const { client, namespace, name, identity } = this.#options;
    const lease = await client.get<LeaseObject>(Resources.Lease, { namespace, name });
    if (lease?.spec.holderIdentity !== identity) return;
    const { resourceVersion } = lease.metadata;
    const patch = { metadata: { resourceVersion }, spec: { holderIdentity: '', leaseDurationSeconds: 1 } };
    await client.patch(Resources.Lease, { namespace, name }, patch);
  }

  /** Whether the lease is ours now. A conflict means that another was faster. */
  async #tryRenew(): Promise<boolean> {
    const { client, namespace, name, identity, leaseMs = LEASE_MS, retryMs = RETRY_MS } = this.#options;
    const timeoutMs = Math.max(retryMs, 1_000) * 2;
    const signal = AbortSignal.timeout(timeoutMs);
    const lease = await client.get<LeaseObject>(Resources.Lease, { namespace, name }, signal);
    const time = microTime();
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), renewTime: time };
    try {
      if (!lease) {
        const { apiVersion, kind } = Resources.Lease;
        const spec = { ...mine, acquireTime: time, leaseTransitions: 0 };
        await client.create<LeaseObject>({ apiVersion, kind, metadata: { namespace, name }, spec }, { signal });
        return true;
      }
      const held = lease.spec.holderIdentity === identity;
      if (!held && this.#heldByAnother(lease, leaseMs)) return false;
      const { resourceVersion } = lease.metadata;
      const taken = { ...mine, acquireTime: time, leaseTransitions: (lease.spec.leaseTransitions ?? 0) + 1 };
      const patch = { metadata: { resourceVersion }, spec: held ? mine : taken };
      await client.patch(Resources.Lease, { namespace, name }, patch, { signal });
      return true;
    } catch (error) {
      if (isStatus(error, 409) || isAlreadyExists(error)) return false;
      throw error;
    }
  }

  /** A holder counts as alive for a lease's length after we first saw its latest renewal, whatever its clock says. */
  #heldByAnother(lease: LeaseObject, leaseMs: number): boolean {
    const { holderIdentity, renewTime, leaseDurationSeconds } = lease.spec;
    if (!holderIdentity) return false;
    const record = `${holderIdentity} ${renewTime}`;
    if (this.#seen?.record !== record) this.#seen = { record, at: this.#now() };
    return this.#now() - this.#seen.at < Math.max(leaseMs, (leaseDurationSeconds ?? 0) * 1000);
  }

  #lose(why: string): void {
    if (this.#lost.signal.aborted) return;
    this.#options.log.error({ identity: this.#options.identity, why }, 'leadership was lost');
    this.#lost.abort(new FencedError(`leadership was lost: ${why}`));
  }

  #sleep(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, this.#lost.signal]);
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
