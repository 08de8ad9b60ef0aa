/** The budgets of this node: counted in each pass, and kept in a file, so that a restart gives nobody a new day. */
import { readFileSync } from 'node:fs';
import type { Policy } from '../admission/policy.ts';
import { DISK, type Disk, replaceFile } from '../durable.ts';
import type { Sliver } from '../sliver.ts';
import { type BudgetPlan, planBudgets } from './plan.ts';
import { countUses, type LineCounters, NO_USES, type Uses } from './use.ts';

export interface BudgetOptions {
  path: string;
  /** Changes whenever the machine starts. */
  bootId: string;
  /** As the last pass saw them. */
  counters(): LineCounters;
  now(): number;
  disk?: Disk;
}

/** Raised when a field changes its meaning. */
const VERSION = 1;
/** More is written to the disk only now and then: what was counted and not written is in the kernel, unless it stops. */
const SAVE_MS = 10_000;

export class Budgets {
  readonly #options: BudgetOptions;
  #uses: Uses;
  #saved: Uses;
  #savedAt = -Infinity;

  /** A file that can't be read begins anew: nobody is slowed for what nobody knows. */
  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#uses = this.#saved = load(options.path);
  }

  /** Counts, and slows those who are to be slowed. Throws where the disk fails; the limits hold all the same. */
  apply(slivers: readonly Sliver[], policy: Policy): Omit<BudgetPlan, 'uses'> {
    const { counters, bootId, now } = this.#options;
    const counted = countUses(this.#uses, counters(), slivers, bootId, now());
    const { uses, ...plan } = planBudgets(slivers, counted, policy, now());
    this.#uses = uses;
    return plan;
  }

  /** Writes what changed, at most every 10 s. Throws where the disk fails. */
  save(force = false): void {
    const { path, now, disk = DISK } = this.#options;
    const isEarly = now() >= this.#savedAt && now() - this.#savedAt < SAVE_MS;
    if (this.#uses === this.#saved || (isEarly && !force)) return;
    replaceFile(path, `${JSON.stringify({ version: VERSION, ...this.#uses })}\n`, disk);
    this.#saved = this.#uses;
    this.#savedAt = now();
  }
}

function load(path: string): Uses {
  try {
    const { version, day, boot, uses } = JSON.parse(readFileSync(path, 'utf8')) as Uses & { version: number };
    const isUse = (use: Uses['uses'][string]): boolean =>
      Number.isInteger(use?.classId) && Number.isFinite(use.today?.counted) && Number.isFinite(use.today.exempt);
    if (version !== VERSION || !Number.isInteger(day) || !Object.values(uses).every(isUse)) return NO_USES;
    return { day, boot, uses };
  } catch {
    return NO_USES;
  }
}
