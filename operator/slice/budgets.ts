/** Tells people once when a budget of bytes begins to bite: the node, which knows, may write no Events. */
import { CapabilityCondition, CapabilityReason, getCondition } from '../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../crds/types.ts';
import type { EventRecorder } from '../../kube/events.ts';

export class BudgetNews {
  readonly #recorder: Pick<EventRecorder, 'record'>;
  /** What was told last, by the rcap's uid, of each slice by its key. */
  readonly #told = new Map<string, ReadonlyMap<string, string>>();

  constructor(recorder: Pick<EventRecorder, 'record'>) {
    this.#recorder = recorder;
  }

  /** Looks at the rcaps of a slice; after a restart of ours what bites is told once more. */
  look(key: string, slice: Slice, capabilities: readonly ResourceCapability[]): void {
    const before = this.#told.get(key);
    const now = new Map<string, string>();
    for (const { metadata, spec, status } of capabilities) {
      const uid = metadata.uid ?? '';
      const condition = getCondition(status?.conditions, CapabilityCondition.WithinBudget);
      if (!condition || condition.status === 'True') continue;
      now.set(uid, condition.reason);
      if (before?.get(uid) === condition.reason) continue;
      const type = condition.reason === CapabilityReason.BudgetSpent ? 'Warning' : 'Normal';
      this.#recorder.record(slice, type, condition.reason, `${spec.nodeName}: ${condition.message}`);
    }
    if (now.size > 0) this.#told.set(key, now);
    else this.#told.delete(key);
  }

  forget(key: string): void {
    this.#told.delete(key);
  }
}
