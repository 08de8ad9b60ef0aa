/** What was refused, and until when it is not asked for again: after 10 s, 20 s, 40 s, ... 5 minutes. */
import { retryAt } from '../../slice/plan/backoff.ts';
import type { Refused } from './input.ts';

/** One that went well for so long begins anew. */
const FORGET_MS = 600_000;

/** The nodes that refused so far, with these. */
export function withNodes(known: Refused | undefined, by: readonly string[], now: number): ReadonlyMap<string, number> {
  return new Map([...(known?.nodes ?? []), ...by.map((node) => [node, now] as const)]);
}

export class Refusals {
  readonly #byUid = new Map<string, Refused & { attempts: number }>();

  get all(): ReadonlyMap<string, Refused> {
    return this.#byUid;
  }

  /** `now` in ms since the epoch. False where it is no news: its time is not up yet. */
  add(uid: string, message: string, now: number, by: readonly string[] = []): boolean {
    const known = this.#byUid.get(uid);
    if (known && known.until > now) return false;
    const attempts = known && now - known.until < FORGET_MS ? known.attempts + 1 : 0;
    this.#byUid.set(uid, { message, attempts, until: retryAt(attempts, now), nodes: withNodes(known, by, now) });
    return true;
  }

  /** Forgets those of slices that are gone and left nothing behind. */
  keep(uids: ReadonlySet<string>): void {
    for (const uid of this.#byUid.keys()) if (!uids.has(uid)) this.#byUid.delete(uid);
  }
}
