/** What the queue's plan is made from, and what it is made of. */
import type { Condition } from '../../../crds/conditions.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import type { ObjectRef } from '../../kinds.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import type { MergePatch } from '../../slice/plan/mergepatch.ts';

/** Why a slice got no window, or not the one that it was to have, and when it is asked for again: ms since the epoch. */
export interface Refused {
  message: string;
  until: number;
  /** When each node refused it last, in ms since the epoch: others are taken before those. */
  nodes?: ReadonlyMap<string, number>;
}

export interface QueueInput {
  /** The broker's own. */
  namespace: string;
  slices: readonly Slice[];
  /** Every rcap with the label of the queue, wherever it is. */
  rights: readonly ResourceCapability[];
  nodes: ReadonlyMap<string, NodeState>;
  /** Of windows, in ms: where a slice does not say, and the most that one may ask for. */
  lengths: { usual: number; most: number };
  /** By uid of the Slice. It lives in memory: whoever forgets it asks again at once, which is no harm. */
  refused: ReadonlyMap<string, Refused>;
  /** As `refused`, of those that may not have an earlier window than they have. */
  unmoved: ReadonlyMap<string, Refused>;
  /** As `refused`, of those whose namespace let nothing be told, or deleted: until then nothing is written there. */
  barred: ReadonlyMap<string, Refused>;
}

/** One write for the slice of that uid. */
export type Effect = { uid: string } & (
  | { kind: 'create'; object: ResourceCapability }
  | { kind: 'edit'; ref: ObjectRef; patch: MergePatch }
  | { kind: 'remove'; ref: ObjectRef; propagation: 'Foreground' | 'Background' }
  /** Shows the part's value in the slice's namespace, and takes it over there. */
  | { kind: 'give'; slice: Slice; part: ResourceCapability; object: ResourceCapability }
);

/** What the condition Queued of a Slice is to say. */
export type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

export interface QueuePlan {
  effects: Effect[];
  told: { slice: Slice; verdict: Verdict }[];
  /** Found out in this pass, to be remembered: the slice drops what it has, or stays where it is. */
  found: { uid: string; kind: 'refused' | 'unmoved'; message: string; nodes: string[] }[];
  /** When to look again, in ms since the epoch; undefined: an event will tell. */
  wakeAt: number | undefined;
}
