/** One pass over one slice: gather, plan, apply, report. */
import { isDeepStrictEqual } from 'node:util';
import { API_VERSION, FINALIZER } from '../../crds/names.ts';
import type { Slice, SliceStatus } from '../../crds/types.ts';
import type { ApiClient } from '../../kube/client.ts';
import type { Log } from '../../kube/log.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { isDeleting, type KubeObject, type ObjectRef } from '../kinds.ts';
import { STATUS_MANAGER } from '../managers.ts';
import type { Books } from '../site/books.ts';
import type { Stores } from '../stores.ts';
import { applySteps } from './apply.ts';
import type { BootScripts } from './bootscripts.ts';
import type { BudgetNews } from './budgets.ts';
import type { Expectations, Seen } from './expectations.ts';
import type { Failures } from './failures.ts';
import { gather } from './gather.ts';
import type { Announce } from './announce.ts';
import { earliest } from './plan/backoff.ts';
import type { Effect, NodeState } from './plan/input.ts';
import { planSlice } from './plan/plan.ts';
import { othersConditions } from './plan/status.ts';
import type { Taken } from './taken.ts';
import type { Pace } from './pace.ts';

export interface SliceDeps {
  client: ApiClient;
  stores: Stores;
  nodes: () => ReadonlyMap<string, NodeState>;
  expectations: Expectations;
  taken: Taken;
  bootScripts: BootScripts;
  pace: Pace;
  announce: Announce;
  budgetNews: Pick<BudgetNews, 'look' | 'forget'>;
  /** What the default broker was refused. */
  failures: Pick<Failures, 'of'>;
  /** What it has under way. */
  acquiring: { has(slice: string): boolean };
  /** Whether the default broker runs here, */
  brokering: boolean;
  /** and the pools that it keeps; undefined: there are none. */
  books: Pick<Books, 'poolOf'> | undefined;
  /** Puts our finalizer on a slice that has none, takes it off one that is being deleted. */
  finalize: (slice: Slice) => Promise<void>;
  log: Log;
  /** ms since the epoch */
  now: () => number;
}

/** A store that lags shows our writes within milliseconds, and says so by an event; this is for when none comes. */
const LOOK_AGAIN_MS = 250;
const IN_THE_WAY_MS = 1_000;

export function sliceReconciler(deps: SliceDeps) {
  const { stores, expectations, taken, bootScripts, pace, budgetNews } = deps;

  return async (key: string, signal: AbortSignal): Promise<Outcome> => {
    if (!expectations.met(key, (ref) => look(stores, ref))) return After(LOOK_AGAIN_MS);
    const slice = stores.slices.get(key);
    if (!slice) {
      for (const memory of [expectations, taken, bootScripts, pace, budgetNews]) memory.forget(key);
      return Done;
    }
    const finalized = slice.metadata.finalizers?.includes(FINALIZER) ?? false;
    if (isDeleting(slice) && !finalized) return Done;
    if (!finalized) {
      await deps.finalize(slice);
      return Done;
    }
    await taken.refresh(key, deps.client, signal);
    const boot = await bootScripts.of(slice, signal);
    const { brokering, books } = deps;
    const input = gather(key, stores, deps.nodes(), { taken, bootScript: boot, brokering, books });
    if (!input) return Done; // it went while its script was read: the event of that has queued the key again
    budgetNews.look(key, slice, input.capabilities);
    const plan = planSlice(input, deps.now());
    const onWritten = (effect: Effect, answer: KubeObject | undefined) => {
      if (kindOf(effect) === 'ConfigMap') {
        if (answer) bootScripts.written(key, slice.metadata.uid, answer);
        else bootScripts.forget(key);
      }
      deps.announce.effect(slice, effect);
    };
    const { failures, again, taken: found } = await applySteps(key, plan.steps, { ...deps, onWritten }, signal);
    // planned anew at once: what this plan would report does not know of it
    if (found && failures.length === 0) return After(1);
    if (plan.finalizer === 'remove') {
      if (deps.acquiring.has(key)) return After(LOOK_AGAIN_MS);
      await deps.finalize(slice);
      return Done;
    }
    const wait = await report(key, slice, plan.status([...failures, ...deps.failures.of(key)], deps.now()), signal);
    if (failures.length > 0) throw new Error(`${key}: ${failures[0]!.message}`);
    const wakeIn = plan.wakeAt === undefined ? undefined : Math.max(1, plan.wakeAt - deps.now());
    const next = earliest(wakeIn, wait, again ? IN_THE_WAY_MS : undefined, taken.retryMs(key));
    return next === undefined ? Done : After(next);
  };

  /** Writes the status where it differs, at most once a second; returns the ms to wait until it may be written. */
  async function report(
    key: string,
    slice: Slice,
    status: SliceStatus,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (isDeepStrictEqual(ordered(slice.status), ordered(status))) return undefined;
    const wait = pace.waitMs(key);
    if (wait > 0) return wait;
    const { namespace, name, uid, resourceVersion } = slice.metadata;
    // what others say is written along, so it must be their last word
    const version = othersConditions(slice).length > 0 ? { resourceVersion } : {};
    const metadata = { namespace, name, uid, ...version };
    const object = { apiVersion: API_VERSION, kind: 'Slice', metadata, status };
    const options = { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' } as const;
    const answer = await deps.client.apply<KubeObject>(object, options, signal);
    pace.wrote(key);
    expectations.written(key, answer);
    deps.announce.status(slice, status);
    return undefined;
  }
}

/** In which order servers keep conditions of several writers is theirs to choose. */
function ordered(status: SliceStatus | undefined): SliceStatus | undefined {
  const conditions = status?.conditions?.toSorted((a, b) => (a.type < b.type ? -1 : 1));
  return conditions && { ...status, conditions };
}

function kindOf(effect: Effect): string {
  return effect.kind === 'create' ? effect.object.kind : effect.ref.kind;
}

/** What the stores show of an object that we wrote. */
function look(stores: Stores, { kind, namespace, name }: ObjectRef): Seen | undefined {
  const key = `${namespace}/${name}`;
  const found =
    kind === 'Slice' ? stores.slices.get(key) : kind === 'Pod' ? stores.pods.get(key) : stores.capabilities.get(key);
  if (!found) return undefined;
  const { uid, resourceVersion } = found.metadata;
  return { uid, resourceVersion, deleting: isDeleting(found) };
}
