/** The one copy of the node's state: what was promised is on the disk. */
import { type NodeState, saveCheckpoint } from './checkpoint.ts';
import { DISK, type Disk } from './durable.ts';

/** Synchronous throughout, so that two changes never cross. */
export class StateStore {
  readonly #path: string;
  readonly #disk: Disk;
  #state: NodeState;
  /** Whether the disk lacks something that holds already. */
  #unsaved = false;

  constructor(path: string, state: NodeState, disk: Disk = DISK) {
    this.#path = path;
    this.#state = state;
    this.#disk = disk;
  }

  get(): NodeState {
    return this.#state;
  }

  /** Fsynced when it returns. Throws where the disk fails: then the state is as before, and nothing may be promised. */
  set(change: Partial<NodeState>): void {
    if (!this.#changes(change)) return;
    const next = { ...this.#state, ...change };
    saveCheckpoint(this.#path, next, this.#disk);
    this.#state = next;
    this.#unsaved = false;
  }

  /**
   * For what promises nothing, such as the end of a right or the owner's new policy: it holds at once, and is on the disk as
   * soon as the disk takes it. After a crash before that it is found out anew.
   */
  accept(change: Partial<NodeState>): void {
    if (!this.#changes(change)) return;
    this.#state = { ...this.#state, ...change };
    this.#unsaved = true;
    try {
      this.flush();
    } catch {
      // the next flush tells
    }
  }

  /** Writes what the disk has not taken so far; throws while it does not. */
  flush(): void {
    if (!this.#unsaved) return;
    saveCheckpoint(this.#path, this.#state, this.#disk);
    this.#unsaved = false;
  }

  #changes(change: Partial<NodeState>): boolean {
    return Object.entries(change).some(([key, value]) => this.#state[key as keyof NodeState] !== value);
  }
}
