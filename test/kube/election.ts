/**
 * Processes that want to lead, on a clock of ours. Each has a monotonic clock of its own origin and a wall clock that may be
 * wrong; requests and answers take time, get lost, and wait while their process is stopped.
 */
import { mock } from 'node:test';
import type { ApiClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import { Leader, type LeaderOptions, type LeaseObject } from '../../kube/leader.ts';
import { silentLog } from '../../kube/log.ts';
import { settle } from './eventually.ts';

const STEP_MS = 250;

/** What becomes of one request. */
export interface Fate {
  outMs: number;
  backMs: number;
  lost: 'no' | 'request' | 'answer';
}

export const SWIFT: Fate = { outMs: 0, backMs: 0, lost: 'no' };

export class Election {
  now = 0;
  lease: LeaseObject | undefined;
  #version = 0;

  constructor() {
    mock.timers.enable({ apis: ['setTimeout'] });
  }

  end(): void {
    mock.timers.reset();
  }

  /** Lets time pass, in steps; `look` is called after each. */
  async pass(ms: number, look: () => void = () => undefined): Promise<void> {
    for (const end = this.now + ms; this.now < end;) {
      this.now += STEP_MS;
      mock.timers.tick(STEP_MS);
      await settle(2);
      look();
    }
  }

  async wait(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => setTimeout(resolve, ms));
  }

  /** What the API server does, at one instant. */
  write(change: Partial<LeaseObject>, create: boolean): LeaseObject {
    const known = this.lease;
    if (create && known) throw new ApiError('POST lease', 409, '{"reason":"AlreadyExists"}');
    if (!create && !known) throw new ApiError('PATCH lease', 404, '{"reason":"NotFound"}');
    const expected = change.metadata?.resourceVersion;
    if (expected && expected !== known?.metadata.resourceVersion) {
      throw new ApiError('PATCH lease', 409, '{"reason":"Conflict"}');
    }
    const metadata = { name: 'l', namespace: 'ns', uid: 'u', resourceVersion: String(++this.#version) };
    const spec = { ...known?.spec, ...change.spec };
    this.lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    return this.lease;
  }
}

export class Candidate {
  leader: Leader;
  stoppedUntil = 0;
  readonly #election: Election;
  readonly #fates: () => Fate;
  readonly #wall: (time: string) => string;
  readonly #options: Partial<LeaderOptions>;
  readonly #origin: number;
  #lives = 0;

  constructor(
    election: Election,
    origin: number,
    fates: () => Fate = () => SWIFT,
    options: Partial<LeaderOptions> = {},
    wall: (time: string) => string = (time) => time,
  ) {
    this.#election = election;
    this.#origin = origin;
    this.#fates = fates;
    this.#options = options;
    this.#wall = wall;
    this.leader = this.#begin();
  }

  /** By its fence, as every write asks it. */
  get writes(): boolean {
    try {
      this.leader.fence();
      return true;
    } catch {
      return false;
    }
  }

  /** A process that has lost ends, and another takes its place. */
  restart(): void {
    this.leader = this.#begin();
  }

  #begin(): Leader {
    const client = {
      get: (_resource: unknown, _ref: unknown, signal?: AbortSignal) =>
        this.#request(() => structuredClone(this.#election.lease), signal),
      create: (object: LeaseObject, { signal }: { signal?: AbortSignal } = {}) =>
        this.#request(() => this.#election.write(this.#skewed(object), true), signal),
      patch: (_resource: unknown, _ref: unknown, patch: LeaseObject, { signal }: { signal?: AbortSignal } = {}) =>
        this.#request(() => this.#election.write(this.#skewed(patch), false), signal),
    } as unknown as ApiClient;
    const leader = new Leader({
      client,
      namespace: 'ns',
      name: 'l',
      identity: `process-${this.#origin}-${this.#lives++}`,
      log: silentLog(),
      now: () => this.#election.now + this.#origin,
      ...this.#options,
    });
    void leader.run();
    return leader;
  }

  #skewed(lease: LeaseObject): LeaseObject {
    const { renewTime } = lease.spec;
    return renewTime ? { ...lease, spec: { ...lease.spec, renewTime: this.#wall(renewTime) } } : lease;
  }

  /** The server may do what was asked long after the caller has given up. */
  async #request<T>(act: () => T, signal?: AbortSignal): Promise<T> {
    const fate = this.#fates();
    const aborted = new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const answered = async () => {
      await this.#running();
      await this.#election.wait(fate.outMs);
      if (fate.lost === 'request') throw new Error('the connection was reset');
      const result = await Promise.resolve()
        .then(act)
        .catch((error: unknown) => error);
      await this.#election.wait(fate.backMs);
      await this.#running();
      if (fate.lost === 'answer') throw new Error('the connection was reset');
      if (result instanceof Error) throw result;
      return result as T;
    };
    return await Promise.race([answered(), aborted]);
  }

  async #running(): Promise<void> {
    while (this.#election.now < this.stoppedUntil) await this.#election.wait(STEP_MS);
  }
}
