/**
 * What we wrote and the stores do not show yet. Until they do, a slice is not planned anew: a plan from before our own
 * writes would ask more nodes than are wanted.
 */
import { refOf, type KubeObject, type ObjectRef } from '../kinds.ts';

/** A watch that is this far behind is broken; waiting longer would only add to the damage. */
const GIVE_UP_MS = 10_000;

/** What the stores show of an object. */
export interface Seen {
  uid: string | undefined;
  resourceVersion: string | undefined;
  deleting: boolean;
}

interface Expected {
  ref: ObjectRef;
  /** There in this version or a later one; undefined: gone, or on its way out. */
  version: string | undefined;
  until: number;
}

export class Expectations {
  readonly #now: () => number;
  readonly #bySlice = new Map<string, Expected[]>();

  /** `now` in ms of a clock that only grows. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ours in this version, as the API server answered. */
  written(slice: string, answer: KubeObject): void {
    const version = answer.metadata.resourceVersion ?? '0';
    this.#expect(slice, { ref: refOf(answer), version, until: this.#now() + GIVE_UP_MS });
  }

  removed(slice: string, ref: ObjectRef): void {
    this.#expect(slice, { ref, version: undefined, until: this.#now() + GIVE_UP_MS });
  }

  /** Whether the stores, asked by `look`, show everything that we wrote; what they show is forgotten. */
  met(slice: string, look: (ref: ObjectRef) => Seen | undefined): boolean {
    const now = this.#now();
    const open = (this.#bySlice.get(slice) ?? []).filter((one) => one.until > now && !isMet(one, look(one.ref)));
    if (open.length === 0) this.#bySlice.delete(slice);
    else this.#bySlice.set(slice, open);
    return open.length === 0;
  }

  forget(slice: string): void {
    this.#bySlice.delete(slice);
  }

  #expect(slice: string, expected: Expected): void {
    if (expected.ref.kind === 'ConfigMap') return; // there is no store of them
    const known = this.#bySlice.get(slice);
    if (known) known.push(expected);
    else this.#bySlice.set(slice, [expected]);
  }
}

function isMet({ ref, version }: Expected, seen: Seen | undefined): boolean {
  if (version === undefined) return seen === undefined || seen.uid !== ref.uid || seen.deleting;
  if (!seen) return false;
  // another object of the name is a later one: ours has come and gone
  if (seen.uid !== ref.uid) return true;
  return BigInt(seen.resourceVersion ?? 0) >= BigInt(version);
}
