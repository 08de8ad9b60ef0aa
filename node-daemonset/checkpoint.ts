/** What the node manager knows, as a file of its own: enough to go on after a reboot with the API server out of reach. */
import { readFileSync, renameSync } from 'node:fs';
import type { NodeRestraint, SliceNodeSpec } from '../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from './admission/ledger.ts';
import type { Allocatable } from './admission/policy.ts';
import { DISK, type Disk, replaceFile } from './durable.ts';
import { NO_ORDERS, type Orders } from './owner/orders.ts';
import { numbered, type PodRecord } from './pods.ts';
import type { SuspendedRight } from './suspension.ts';

/** Raised whenever a field changes its meaning; an older reader sets the file aside rather than misread it. */
const CHECKPOINT_VERSION = 1;

export interface NodeState {
  ledger: Ledger;
  pods: PodRecord[];
  /** Where the search for a free class id goes on: an id is not given again soon after it was free. */
  nextClassId: number;
  /** No sliver before had this number or a greater one. */
  nextNumber: number;
  /** The last that was heard of the Node, and of its owner's policy, from the API server. */
  node: (Allocatable & { uid: string }) | undefined;
  spec: SliceNodeSpec | undefined;
  /** The same of what he says of many nodes. */
  defaults: SliceNodeSpec | undefined;
  /** The last policy that was valid, of all that the owner says; undefined where there never was one. */
  policy: SliceNodeSpec | undefined;
  /** What others held slivers to when the API server was last heard. */
  restraints: NodeRestraint[];
  /** Rights whose holders suspended what runs by them when the API server was last heard. */
  suspended: SuspendedRight[];
  /** When other words of those who had suspended before were last taken up, in ms since the epoch. */
  wordsAt: number;
  /** What the owner last said on the node itself. */
  orders: Orders;
}

export const EMPTY_STATE: NodeState = {
  ledger: EMPTY_LEDGER,
  pods: [],
  nextClassId: 0x100,
  nextNumber: 1,
  node: undefined,
  spec: undefined,
  defaults: undefined,
  policy: undefined,
  restraints: [],
  suspended: [],
  wordsAt: 0,
  orders: NO_ORDERS,
};

export interface Loaded {
  state: NodeState;
  /** Why the file was not used and where it is now; the ledger is then rebuilt from the status of our rcaps. */
  problem: string | undefined;
}

/** Reads the state. A file that can't be used is kept under another name for whoever wants to know what was in it. */
export function loadCheckpoint(path: string, now: number): Loaded {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: EMPTY_STATE, problem: undefined };
    throw error;
  }
  try {
    return { state: parseCheckpoint(text), problem: undefined };
  } catch (error) {
    const aside = `${path}.unusable-${now}`;
    renameSync(path, aside);
    const problem = `${path} could not be used (${(error as Error).message}); it is kept as ${aside}`;
    return { state: EMPTY_STATE, problem };
  }
}

/** The state is on the disk when this returns. */
export function saveCheckpoint(path: string, state: NodeState, disk: Disk = DISK): void {
  replaceFile(path, `${JSON.stringify({ version: CHECKPOINT_VERSION, ...state })}\n`, disk);
}

/** Throws where the text is not a checkpoint of this version. */
export function parseCheckpoint(text: string): NodeState {
  const read = JSON.parse(text) as Partial<NodeState> & { version?: unknown };
  if (read?.version !== CHECKPOINT_VERSION) {
    throw new Error(`its version is ${String(read?.version)}, this node manager reads ${CHECKPOINT_VERSION}`);
  }
  const { ledger, pods, nextClassId, nextNumber, node, spec, defaults, policy } = read;
  const { restraints = [], suspended = [], wordsAt = 0, orders = NO_ORDERS } = read;
  if (!ledger || !Array.isArray(ledger.entries) || !Array.isArray(ledger.formerNodeUIDs) || !Array.isArray(pods)) {
    throw new Error('it has no ledger or no pods');
  }
  for (const entry of ledger.entries) {
    const held = [entry?.grant, entry?.former].filter((one) => one !== undefined);
    if (typeof entry?.uid !== 'string' || !held.every((one) => Number.isFinite(one?.amounts?.shares))) {
      throw new Error('an entry of its ledger makes no sense');
    }
  }
  const { bindings = [] } = ledger;
  if (!Array.isArray(bindings) || bindings.some((one) => typeof one?.uid !== 'string')) {
    throw new Error('what rights were bound to in it makes no sense');
  }
  for (const pod of pods) {
    if (typeof pod?.uid !== 'string' || !Number.isInteger(pod.classId) || typeof pod.rcap?.uid !== 'string') {
      throw new Error('a pod in it makes no sense');
    }
  }
  // written before rights said whose address they give
  const all = ledger.entries.flatMap(({ grant, former }) => [grant ?? [], former ?? []].flat());
  for (const { amounts } of [...all, ...pods]) amounts.network ??= 'Pod';
  const { pods: known, next } = numbered(pods, nextNumber ?? EMPTY_STATE.nextNumber);
  return {
    ledger,
    pods: known,
    nextClassId: nextClassId ?? EMPTY_STATE.nextClassId,
    nextNumber: next,
    node,
    spec,
    defaults,
    policy,
    restraints,
    suspended,
    wordsAt,
    orders,
  };
}
