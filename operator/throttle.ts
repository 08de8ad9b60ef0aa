/** Runs something that is asked for as often as others like at most once in a while, and never forgets the last asking. */
export class Throttle {
  readonly #run: () => void;
  readonly #gapMs: number;
  #gap: NodeJS.Timeout | undefined;
  #asked = false;

  constructor(run: () => void, gapMs: number) {
    this.#run = run;
    this.#gapMs = gapMs;
  }

  /** Runs at once, or at the end of the gap since the last run. */
  ask(): void {
    if (this.#gap) {
      this.#asked = true;
      return;
    }
    this.#asked = false;
    this.#gap = setTimeout(() => {
      this.#gap = undefined;
      if (this.#asked) this.ask();
    }, this.#gapMs);
    this.#run();
  }

  stop(): void {
    clearTimeout(this.#gap);
    this.#asked = false;
  }
}
