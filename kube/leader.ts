/**
 * Leader election by a Lease, with fencing. Two clocks never meet: others' renewals are timed by our own monotonic clock from
 * when we saw them, and our own lease counts from when we *sent* the renewal. `fence` is called before each write and throws
 * from the lease's deadline on, so that a leader that was stopped and continued writes nothing.
 */
import type { ApiClient } from './client.ts';
import { FencedError, isStatus } from './errors.ts';
import type { Log } from './log.ts';
import { pause } from './pause.ts';
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
  /** Of this process and no other, also not of one that ran before in the same pod: the pod's name and something random. */
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
  readonly #stopping = new AbortController();
  /** By `now`; -Infinity before the first election. */
  #deadline = -Infinity;
  #expiry: NodeJS.Timeout | undefined;
  #seen: { record: string; at: number } | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Resolves when this process leads for the first time. */
  get elected(): Promise<void> {
    return this.#elected.promise;
  }

  /** Fires at the lease's deadline when leadership was had and not renewed; it does not come back to this process. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get leading(): boolean {
    return !this.#lost.signal.aborted && !this.#stopping.signal.aborted && this.#now() < this.#deadline;
  }

  /** Before every write: throws FencedError unless this process leads, by its own clock, now. */
  readonly fence = (): void => {
    if (this.leading) return;
    if (this.#deadline > -Infinity && !this.#stopping.signal.aborted) this.#lose('its lease has passed');
    throw new FencedError(`${this.#options.identity} does not lead and writes nothing`);
  };

  /** Tries to lead, then stays it; returns when leadership is lost or `stop` was called. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /**
   * Writes nothing from now on, and gives the lease back, so that the next leader need not wait for it. Call when no write is
   * under way any more. Never throws: a lease that is not given back passes by itself.
   */
  async stop(): Promise<void> {
    const led = this.leading;
    this.#stopping.abort();
    clearTimeout(this.#expiry);
    await this.#running;
    if (!led || this.#lost.signal.aborted) return;
    try {
      await this.#release();
    } catch (error) {
      this.#options.log.warn({ err: (error as Error).message }, 'the lease could not be given back and has to pass');
    }
  }

  async #run(): Promise<void> {
    const { log, identity, retryMs = RETRY_MS } = this.#options;
    const ended = AbortSignal.any([this.#stopping.signal, this.#lost.signal]);
    while (!ended.aborted) {
      const sent = this.#now();
      try {
        const won = await this.#tryRenew();
        if (won) this.#renewed(sent);
        else if (this.#deadline > -Infinity) this.#lose('another process took the lease');
      } catch (error) {
        if (ended.aborted) return;
        log.warn({ identity, err: (error as Error).message }, 'the lease could not be renewed');
      }
      await pause(retryMs, ended);
    }
  }

  /** Counted from when the renewal was sent: the server has written it no earlier. */
  #renewed(sent: number): void {
    if (this.#stopping.signal.aborted) return;
    // a renewal that took longer than the deadline comes too late: somebody else may have been told already
    if (this.#deadline > -Infinity && !this.leading) return this.#lose('its lease has passed');
    const deadlineMs = this.#options.renewDeadlineMs ?? RENEW_DEADLINE_MS;
    this.#deadline = sent + deadlineMs;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#lose('it could not be renewed in time'), this.#deadline - this.#now());
    if (this.leading) this.#elected.resolve();
  }

  /** Whether the lease is ours now. A conflict means that another was faster. */
  async #tryRenew(): Promise<boolean> {
    const { client, namespace, name, identity, leaseMs = LEASE_MS, retryMs = RETRY_MS } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(Math.max(retryMs, 1_000) * 2)]);
    const lease = await client.get<LeaseObject>(Resources.Lease, { namespace, name }, signal);
    const time = microTime();
    const held = lease?.spec.holderIdentity === identity;
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), renewTime: time };
    try {
      if (!lease) {
        const { apiVersion, kind } = Resources.Lease;
        const spec = { ...mine, acquireTime: time, leaseTransitions: 0 };
        await client.create<LeaseObject>({ apiVersion, kind, metadata: { namespace, name }, spec }, { signal });
        return true;
      }
      if (!held && this.#heldByAnother(lease, leaseMs)) return false;
      const { resourceVersion } = lease.metadata;
      const taken = { ...mine, acquireTime: time, leaseTransitions: (lease.spec.leaseTransitions ?? 0) + 1 };
      const patch = { metadata: { resourceVersion }, spec: held ? mine : taken };
      await client.patch(Resources.Lease, { namespace, name }, patch, { signal });
      return true;
    } catch (error) {
      // a lease of ours that somebody touched, or that an answer of ours that was lost has renewed, may still be ours
      if (isStatus(error, 409) && !held) return false;
      throw error;
    }
  }

  /** A holder counts as alive for a lease's length after we first saw its latest renewal, whatever its clock says. */
  #heldByAnother(lease: LeaseObject, leaseMs: number): boolean {
    const { holderIdentity, leaseDurationSeconds } = lease.spec;
    if (!holderIdentity) return false;
    // not its renewTime: a clock that was set back can show the same time twice
    const record = `${lease.metadata.uid} ${lease.metadata.resourceVersion}`;
    if (this.#seen?.record !== record) this.#seen = { record, at: this.#now() };
    return this.#now() - this.#seen.at < Math.max(leaseMs, (leaseDurationSeconds ?? 0) * 1000);
  }

  async #release(): Promise<void> {
    const { client, namespace, name, identity } = this.#options;
    const lease = await client.get<LeaseObject>(Resources.Lease, { namespace, name });
    if (lease?.spec.holderIdentity !== identity) return;
    const { resourceVersion } = lease.metadata;
    const patch = { metadata: { resourceVersion }, spec: { holderIdentity: '', leaseDurationSeconds: 1 } };
    await client.patch(Resources.Lease, { namespace, name }, patch);
  }

  #lose(why: string): void {
    clearTimeout(this.#expiry);
    if (this.#lost.signal.aborted) return;
    this.#options.log.error({ identity: this.#options.identity, why }, 'leadership was lost');
    this.#lost.abort(new FencedError(`leadership was lost: ${why}`));
  }
}
