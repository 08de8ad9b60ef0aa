/** What became of the readings of one Sensor on this node: what its status says, and its metrics. */
import type { ServedSensor } from '../../crds/types.ts';
import { SourceError } from './source.ts';
import { cut } from '../../crds/text.ts';

const MAX_MESSAGE = 256;
const MAX_REASONS = 8;

export class Record {
  #readings = 0;
  #failures = 0;
  #failing = false;
  readonly #errors = new Map<string, { reason: string; message: string; time: string }>();

  succeeded(): void {
    this.#readings++;
    this.#failing = false;
  }

  /** The last error of each reason is kept. */
  failed(error: Error, now: number): void {
    this.#failures++;
    this.#failing = true;
    const reason = error instanceof SourceError ? error.word : 'Died';
    this.#errors.delete(reason);
    const message = cut(error.message, MAX_MESSAGE) || reason;
    this.#errors.set(reason, { reason, message, time: new Date(now).toISOString() });
    const [oldest] = this.#errors.keys();
    if (this.#errors.size > MAX_REASONS) this.#errors.delete(oldest!);
  }

  /** Changes only when it is first read, begins or ceases to fail, or fails otherwise: what a person should hear of. */
  get verdict(): string {
    return `${this.#readings > 0} ${this.#failing} ${[...this.#errors.keys()].toSorted().join()}`;
  }

  status(name: string, generation: number | undefined): ServedSensor {
    return {
      name,
      ...(generation !== undefined && { generation }),
      failing: this.#failing,
      readings: this.#readings,
      failures: this.#failures,
      ...(this.#errors.size > 0 && { errors: [...this.#errors.values()] }),
    };
  }
}
