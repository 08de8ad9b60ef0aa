/**
 * Events for people: one object for each (object, type, reason, message), counted up; a bounded queue and a token bucket for
 * each object, so that a failure that repeats cannot flood the API server. An event that can't be written is lost: conditions
 * say the same.
 */
import { shortHash } from '../crds/names.ts';
import type { ApiClient } from './client.ts';
import { FencedError } from './errors.ts';
import type { Log } from './log.ts';
import { Resources, type KubeObject } from './resources.ts';
import { cut } from '../crds/text.ts';

export interface EventOptions {
  client: ApiClient;
  /** For example `slice-operator`. */
  component: string;
  log: Log;
  now?: () => Date;
}

interface Pending {
  object: KubeObject;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

const MAX_QUEUE = 1_000;
const MAX_KNOWN = 4_000;
const BURST = 25;
/** A token every so often once the burst is spent, as client-go's spam filter has it. */
const REFILL_MS = 60_000;
const MAX_MESSAGE = 1_000;

export class EventRecorder {
  readonly #options: EventOptions;
  readonly #queue: Pending[] = [];
  readonly #counts = new Map<string, { count: number; first: string }>();
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  #draining: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: EventOptions) {
    this.#options = options;
  }

  /** Events that were not written because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (this.#queue.length >= MAX_QUEUE || !this.#takeToken(object.metadata.uid ?? object.metadata.name)) {
      this.#dropped++;
      return;
    }
    this.#queue.push({ object, type, reason, message: cut(message, MAX_MESSAGE) });
    this.#draining ??= this.#drain();
  }

  /** Resolves when everything recorded so far is written or lost. */
  async flush(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      try {
        await this.#write(next);
      } catch (error) {
        if (error instanceof FencedError) continue;
        this.#options.log.warn({ reason: next.reason, err: (error as Error).message }, 'an event could not be written');
      }
    }
    // in the same turn in which the queue was found empty, so that none is left behind
    this.#draining = undefined;
  }

  async #write({ object, type, reason, message }: Pending): Promise<void> {
    const { client, component } = this.#options;
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const time = (this.#options.now?.() ?? new Date()).toISOString().replace(/\.\d+Z$/, 'Z');
    const id = `${name.slice(0, 200).replace(/[-.]+$/, '')}.${shortHash([uid ?? name, type, reason, message], 16)}`;
    const known = bound(this.#counts, id) ?? { count: 0, first: time };
    known.count++;
    this.#counts.set(id, known);
    const event = {
      apiVersion: Resources.Event.apiVersion,
      kind: Resources.Event.kind,
      // a server takes those of objects without a namespace nowhere else
      metadata: { namespace: namespace ?? 'default', name: id },
      involvedObject: { apiVersion: object.apiVersion, kind: object.kind, namespace, name, uid, resourceVersion },
      type,
      reason,
      message,
      source: { component },
      firstTimestamp: known.first,
      lastTimestamp: time,
      count: known.count,
    };
    await client.apply(event, { fieldManager: component, force: true });
  }

  #takeToken(key: string): boolean {
    const now = performance.now();
    const bucket = bound(this.#buckets, key) ?? { tokens: BURST, at: now };
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

/** Takes the entry out, so that putting it back makes it the newest, and forgets the oldest when there are too many. */
function bound<V>(map: Map<string, V>, key: string): V | undefined {
  const value = map.get(key);
  map.delete(key);
  if (map.size >= MAX_KNOWN) map.delete(map.keys().next().value!);
  return value;
}
