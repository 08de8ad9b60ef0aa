/** Writes for slices that were refused, for whoever tells it in their status; the default broker's, in the same process. */
import { isDeepStrictEqual } from 'node:util';
import type { Failure } from './plan/status.ts';

export class Failures {
  readonly #bySlice = new Map<string, readonly Failure[]>();
  readonly #onChange: (slice: string) => void;

  /** `onChange` is told of the slice whose status is to say something else by now. */
  constructor(onChange: (slice: string) => void) {
    this.#onChange = onChange;
  }

  of(slice: string): readonly Failure[] {
    return this.#bySlice.get(slice) ?? [];
  }

  /** In the place of what was found before. */
  found(slice: string, failures: readonly Failure[]): void {
    if (isDeepStrictEqual(this.of(slice), failures)) return;
    if (failures.length > 0) this.#bySlice.set(slice, failures);
    else this.#bySlice.delete(slice);
    this.#onChange(slice);
  }

  forget(slice: string): void {
    this.#bySlice.delete(slice);
  }
}
