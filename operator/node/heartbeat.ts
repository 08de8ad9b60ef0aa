/** When each node manager was last heard of, by our own clock: a node whose clock is wrong must not look dead, or alive. */
import type { Lease } from '../kinds.ts';

/** Renewed every 10 s; four in a row may be lost. */
export const HEARTBEAT_TIMEOUT_MS = 40_000;

export interface Clock {
  /** ms since the epoch, as people have it. */
  wall(): number;
  /** ms that only ever grow. */
  monotonic(): number;
}

export class Heartbeats {
  readonly #clock: Clock;
  readonly #heard = new Map<string, { renewTime: string; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** At first sight the lease's own time is all there is to go by; after that, every change of it counts as now. */
  seen(lease: Lease): void {
    const { name } = lease.metadata;
    const renewTime = lease.spec?.renewTime ?? '';
    const known = this.#heard.get(name);
    if (known?.renewTime === renewTime) return;
    const age = known ? 0 : Math.max(0, this.#clock.wall() - (Date.parse(renewTime) || 0));
    this.#heard.set(name, { renewTime, at: this.#clock.monotonic() - age });
  }

  forget(leaseName: string): void {
    this.#heard.delete(leaseName);
  }

  /** `never` where there is no such lease. */
  state(leaseName: string): 'alive' | 'silent' | 'never' {
    const known = this.#heard.get(leaseName);
    if (!known) return 'never';
    return this.#clock.monotonic() - known.at <= HEARTBEAT_TIMEOUT_MS ? 'alive' : 'silent';
  }
}
