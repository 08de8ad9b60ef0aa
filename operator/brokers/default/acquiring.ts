/** Slices for which the default broker has writes under way: one that is being deleted waits for their end, to give back what they made. */
export class Acquiring {
  readonly #slices = new Set<string>();
  readonly #unseen: (slice: string) => boolean;

  /** `unseen`: whether something was written for the slice that the stores do not show yet. */
  constructor(unseen: (slice: string) => boolean) {
    this.#unseen = unseen;
  }

  has(slice: string): boolean {
    return this.#slices.has(slice) || this.#unseen(slice);
  }

  /** One at a time for each slice. */
  async during<T>(slice: string, work: () => Promise<T>): Promise<T> {
    this.#slices.add(slice);
    try {
      return await work();
    } finally {
      this.#slices.delete(slice);
    }
  }
}
