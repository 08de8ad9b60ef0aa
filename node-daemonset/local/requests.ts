/**
 * What slivers ask for, on its way to the operator: in the status of our SliceNode, which we may write and the operator reads.
 * So a node manager has no right to make, change or delete rights; whether one of its slivers may, the operator judges.
 */
import type { LocalRefusal, LocalRequest } from '../../crds/types.ts';
import { LOCAL_BOUNDS } from './bounds.ts';
import { planPlace } from './places.ts';
import { codeOf, Refusal } from './refusal.ts';

export interface RequestsOptions {
  /** Replaces what our SliceNode's status says is asked for. Rejects where the API server can't be reached. */
  write(requests: readonly LocalRequest[]): Promise<void>;
  onError(error: Error): void;
  /** How long one may take. */
  timeoutMs?: number;
}

interface Pending {
  request: LocalRequest;
  /** The pod that asks, and its namespace. */
  sliver: string;
  namespace: string;
  isDone(): boolean;
  settle(refusal?: Refusal): void;
}

/** Between two tries to write: while somebody waits, and while only what is done is to be taken back. */
const RETRY_MS = 500;
const LAZY_MS = 5_000;

export class Requests {
  readonly #options: RequestsOptions;
  readonly #pending = new Map<string, Pending>();
  #isWriting = false;
  #isStale = false;
  /** Requests that the API server knows of. */
  #told = 0;
  #isFirst = true;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** Resolves when `isDone` says so after a `look`. Rejects with Refusal, whatever happens, after a while. */
  async carry(request: LocalRequest, sliver: string, isDone: () => boolean): Promise<void> {
    const instead = this.#placeFor(request.namespace, sliver);
    const { timeoutMs = LOCAL_BOUNDS.operationMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => {
      const message = `nobody did it within ${timeoutMs / 1000} s: ask whether it was done, or again under the same name`;
      pending.settle(new Refusal('TimedOut', message));
    }, timeoutMs);
    const pending: Pending = {
      request,
      sliver,
      namespace: request.namespace,
      isDone,
      settle: (refusal) => {
        clearTimeout(late);
        this.#pending.delete(request.id);
        this.#change();
        if (refusal) reject(refusal);
        else resolve();
      },
    };
    this.#pending.set(request.id, pending);
    if (instead) giveUp(instead);
    else this.#change();
    await promise;
  }

  /** To be called when something of the rights on this node changed, or of our SliceNode's status. */
  look({
    requests = [],
    refusals = [],
  }: {
    requests?: readonly LocalRequest[];
    refusals?: readonly LocalRefusal[];
  }): void {
    if (this.#isFirst) {
      // What an earlier run asked for nobody waits for.
      this.#isFirst = false;
      this.#told = requests.length;
      if (requests.length > 0) this.#change();
    }
    for (const { request, isDone, settle } of this.#pending.values()) {
      const refusal = refusals.find(({ id }) => id === request.id);
      if (refusal) settle(new Refusal(codeOf(refusal.reason), refusal.message));
      else if (isDone()) settle();
    }
  }

  close(): void {
    // what is asked for stays in the status, for whoever comes next to take it back
    this.#isClosed = true;
    clearTimeout(this.#retry);
    for (const { settle } of this.#pending.values()) settle(new Refusal('Failed', 'the node manager ends: ask again'));
  }

  /** For one more; what must go for it, if anything. Throws Refusal where there is none. */
  #placeFor(namespace: string, sliver: string): Pending | undefined {
    const pending = [...this.#pending.values()];
    const own = pending.filter((one) => one.sliver === sliver).length;
    const place = planPlace(pending, namespace, LOCAL_BOUNDS.waitingInAll);
    if (own >= LOCAL_BOUNDS.waiting || place.kind === 'none') {
      throw new Refusal('Busy', 'too much is asked for at once: ask again in a second');
    }
    return place.kind === 'instead' ? place.of : undefined;
  }

  #change(): void {
    this.#isStale = true;
    void this.#write();
  }

  /** One write at a time, each of all that is asked for by then. */
  async #write(): Promise<void> {
    if (this.#isWriting || this.#isClosed) return;
    this.#isWriting = true;
    clearTimeout(this.#retry);
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const requests = [...this.#pending.values()].map(({ request }) => request);
        // it may have been heard though no answer came
        this.#told = Math.max(this.#told, requests.length);
        await this.#options.write(requests);
        this.#told = requests.length;
      }
    } catch (error) {
      this.#isStale = true;
      this.#options.onError(error as Error);
      const isAwaited = this.#pending.size > 0;
      if (isAwaited || this.#told > 0)
        this.#retry = setTimeout(() => void this.#write(), isAwaited ? RETRY_MS : LAZY_MS);
    } finally {
      this.#isWriting = false;
    }
  }
}

function giveUp({ namespace, settle }: Pending): void {
  const why = `slivers of ${namespace} ask for most on this node at once, and others must have a place`;
  settle(new Refusal('Busy', `${why}: ask whether it was done, or again under the same name`));
}
