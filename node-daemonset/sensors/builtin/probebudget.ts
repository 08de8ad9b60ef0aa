/** How many probes the node sends for those who ask: the owner's budget, of which nobody has more than a part. */
import type { Asker } from '../registry.ts';

/** A namespace gets no more of the budget, however few others ask and however many slices it has. */
const PART = 4;
/** Who asks for many at once is answered up to so many seconds' worth. */
const BURST_S = 20;
const MAX_ASKERS = 1_024;

/** Probes that may be sent now; they come back with time. What is refused takes none. */
interface Allowance {
  left: number;
  at: number;
}

export class ProbeBudget {
  readonly #perMinute: () => number;
  readonly #clock: () => number;
  /** By the namespace of who asks; '' is all of them together. */
  readonly #allowances = new Map<string, Allowance>();

  /** `perMinute` may change at any time; `clock` in ms. */
  constructor(perMinute: () => number, clock: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Takes one probe; false where there is none left for this asker now. */
  take(asker: Asker): boolean {
    const limit = this.#perMinute();
    if (limit <= 0) return false;
    if (this.#allowances.size >= MAX_ASKERS) this.#allowances.clear();
    const all = this.#renewed('', limit);
    const own = this.#renewed(
      asker.kind === 'sliver' ? `${asker.slice.split('/', 1)[0]}/` : asker.kind,
      Math.max(1, limit / PART),
    );
    if (all.left < 1 || own.left < 1) return false;
    all.left--;
    own.left--;
    return true;
  }

  #renewed(key: string, perMinute: number): Allowance {
    const now = this.#clock();
    const most = Math.max(1, (perMinute / 60) * BURST_S);
    const known = this.#allowances.get(key) ?? { left: most, at: now };
    known.left = Math.min(most, known.left + ((now - known.at) * perMinute) / 60_000);
    known.at = now;
    this.#allowances.set(key, known);
    return known;
  }
}
