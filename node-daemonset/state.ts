/** The one copy of the node's state: what is in memory is on the disk. */
import { type NodeState, saveCheckpoint } from './checkpoint.ts';
import { DISK, type Disk } from './durable.ts';

/** Synchronous throughout, so that two changes never cross. */
export class StateStore {
  readonly #path: string;
  readonly #disk: Disk;
  #state: NodeState;

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
    const changed = Object.entries(change).some(([key, value]) => this.#state[key as keyof NodeState] !== value);
    if (!changed) return;
    const next = { ...this.#state, ...change };
    saveCheckpoint(this.#path, next, this.#disk);
    this.#state = next;
  }
}
