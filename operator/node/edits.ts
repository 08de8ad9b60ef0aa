/** Tells edits from what else happens to an object: a status that we write ourselves must not have all nodes looked at again. */
import type { KubeObject } from '../../kube/resources.ts';

export class Edits {
  readonly #seen = new Map<string, string>();

  /** Whether the object is new, gone, to go, or its spec another one; `present` as the store has it now. */
  has(name: string, present: KubeObject | undefined): boolean {
    if (!present) {
      this.#seen.delete(name);
      return true;
    }
    const { uid, generation, deletionTimestamp } = present.metadata;
    const version = `${uid}/${generation}/${deletionTimestamp}`;
    if (this.#seen.get(name) === version) return false;
    this.#seen.set(name, version);
    return true;
  }
}
