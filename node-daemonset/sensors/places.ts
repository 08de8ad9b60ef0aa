/** Places for what lasts, such as streams: so many in all, and a part of them for any one. */
import { createCounts } from '../../kube/visitors.ts';

export class Places {
  readonly most: number;
  readonly #mostOfOne: number;
  readonly #taken = createCounts<string>();
  #all = 0;

  constructor(most: number, mostOfOne = most) {
    this.most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** How to give it back; undefined where there is none left for this one. */
  take(one: string): (() => void) | undefined {
    if (this.#all >= this.most || this.#taken.of(one) >= this.#mostOfOne) return undefined;
    this.#all++;
    this.#taken.add(one);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#all--;
      this.#taken.remove(one);
    };
  }
}
