/** The whole plan of a slice: what is to be written, in which order, and when to look again. */
import { SliceReason } from '../../../crds/conditions.ts';
import type { ResourceCapability, SliceStatus } from '../../../crds/types.ts';
import { isDeleting, refOf, type KubeObject } from '../../kinds.ts';
import { refusalOf, type Refusal } from './accept.ts';
import { earliest } from './backoff.ts';
import { planBootScript } from './bootscript.ts';
import { endBound, usableBound } from './bound.ts';
import { planDeletion } from './deletion.ts';
import type { Effect, RemoveReason, SliceInput } from './input.ts';
import type { Placing } from './placement.ts';
import { nextChange, planPods } from './pods.ts';
import { planRights } from './rights.ts';
import { planStatus, type Failure } from './status.ts';
import { NOTHING_WITHHELD, type Withheld } from './withhold.ts';

export interface SlicePlan {
  /** Steps in their order; what is in one step may be done side by side. A step is begun only if the last one succeeded. */
  steps: Effect[][];
  finalizer: 'keep' | 'remove';
  /** When to look again, in ms since the epoch; undefined: an event will tell. */
  wakeAt: number | undefined;
  /** The status to show, given what went wrong in carrying out the steps. */
  status: (failures: readonly Failure[], now: number) => SliceStatus;
}

/** What takes the slice's rights away, and its pods with them. */
const RELEASED: ReadonlySet<string> = new Set([SliceReason.WindowPast, SliceReason.HostNetworkNotAllowed]);

interface Facts {
  refusal?: Refusal;
  placing?: { wanted: number; matching: number };
  taken?: KubeObject[];
  withheld?: Withheld;
  waitingFor?: string[];
}

/** Everything that is to be done for the slice in the state that it is in, but for what its broker does: acquire its rights. */
export function planSlice(input: SliceInput, now: number): SlicePlan {
  const { slice } = input;
  if (isDeleting(slice)) {
    const { effects, waitingFor } = planDeletion(input);
    const finalizer = waitingFor.length === 0 ? 'remove' : 'keep';
    return { steps: [effects], finalizer, wakeAt: undefined, status: statusOf(input, { waitingFor }) };
  }
  const refusal = refusalOf(slice, input.namespaceLabels, now);
  if (refusal) {
    const over = endBound(
      input,
      [],
      refusal.reason === SliceReason.WindowPast ? 'WindowClosed' : 'HostNetworkNotAllowed',
    );
    const back = [...releaseRefused(input, refusal), ...(RELEASED.has(refusal.reason) ? over : [])];
    const steps = back.length > 0 ? [back] : [];
    return { steps, finalizer: 'keep', wakeAt: undefined, status: statusOf(input, { refusal }) };
  }
  const bound = usableBound(input, now);
  const { placing, effects: rights, withheld, wakeAt } = planRights(input, now, bound);
  const boot = planBootScript(input);
  const renewing = new Set(rights.filter((effect) => effect.kind === 'edit').map(({ ref }) => ref.uid));
  const used = without(input, placing.release);
  const withBound = { ...used, capabilities: [...used.capabilities, ...bound] };
  const pods = planPods(withBound, { mayCreate: boot.ready, renewing }, now);
  const edges = input.bound.map((capability) => nextChange(capability, now));
  const taken = [...placing.taken, ...(boot.taken ? [boot.taken] : []), ...pods.taken];
  return {
    steps: [boot.effects, [...pods.effects, ...endBound(input, bound, 'Unused')]],
    finalizer: 'keep',
    wakeAt: earliest(wakeAt, pods.wakeAt, ...edges, nextOf(slice.spec.window, now)),
    status: statusOf({ ...input, capabilities: [...input.capabilities, ...bound] }, { placing, taken, withheld }),
  };
}

function statusOf(input: SliceInput, facts: Facts): SlicePlan['status'] {
  const { refusal, placing = { wanted: 0, matching: 0 }, taken = [], waitingFor = [] } = facts;
  const { withheld = NOTHING_WITHHELD } = facts;
  return (failures, now) => planStatus({ input, refusal, placing, taken, withheld, failures, waitingFor }, now);
}

/**
 * Rights that go back, and their pods with them: all when the window is over, those to the nodes' network when the
 * namespace may not have it any more. Any other refusal leaves what runs.
 */
function releaseRefused({ capabilities }: SliceInput, { reason }: Refusal): Effect[] {
  const present = capabilities.filter((capability) => !isDeleting(capability));
  if (reason === SliceReason.WindowPast) return present.map((one) => release(one, 'WindowClosed'));
  if (reason !== SliceReason.HostNetworkNotAllowed) return [];
  return present.filter(isOnHostNetwork).map((one) => release(one, 'HostNetworkNotAllowed'));
}

function release(capability: ResourceCapability, why: RemoveReason): Effect {
  const node = capability.spec.nodeName;
  return { kind: 'remove', ref: refOf(capability), why, propagation: 'Foreground', node };
}

/** Asked for, or granted once and not given up since. */
function isOnHostNetwork({ spec, status }: ResourceCapability): boolean {
  return spec.resources?.network === 'Host' || status?.granted?.resources.network === 'Host';
}

/** The pods of rights that are given back go with them: one write a sliver. */
function without(input: SliceInput, release: Placing['release']): SliceInput {
  const gone = new Set(release.map(({ capability }) => capability));
  return { ...input, capabilities: input.capabilities.filter((capability) => !gone.has(capability)) };
}

function nextOf(window: { start?: string; end?: string } | undefined, now: number): number | undefined {
  const instants = [window?.start, window?.end].filter((one) => one !== undefined).map((one) => Date.parse(one));
  return earliest(...instants.filter((instant) => instant > now));
}
