/** Carries a slice's plan out: the only place that writes rcaps, pods and ConfigMaps. */
import type { ApiClient } from '../../kube/client.ts';
import { ApiError, isAlreadyExists } from '../../kube/errors.ts';
import type { Log } from '../../kube/log.ts';
import { resourceOf } from '../../kube/resources.ts';
import { controllerOf, isDeleting, type KubeObject } from '../kinds.ts';
import { MANAGER } from '../managers.ts';
import { inParallel } from './parallel.ts';
import type { Expectations } from './expectations.ts';
import type { Effect } from './plan/input.ts';
import type { Failure } from './plan/status.ts';
import { excerpt } from './plan/wording.ts';
import type { Taken } from './taken.ts';

export interface ApplyDeps {
  client: ApiClient;
  expectations: Expectations;
  taken: Taken;
  log: Log;
  /** Told of each write that was done. */
  onWritten: (effect: Effect, answer: KubeObject | undefined) => void;
}

export interface Applied {
  /** Refusals that a person should know of. */
  failures: Failure[];
  /** Whether to look again soon: something was in the way that goes by itself. */
  again: boolean;
  /** Whether a name turned out to be somebody else's: the plan was made without knowing it. */
  taken: boolean;
}

/** Writes of one slice at a time. */
const PARALLEL = 16;

/**
 * Throws where no answer came, or the server could not answer: then nobody knows what was done, and the next pass finds
 * out. A refusal of one object stops no other object of the same step.
 */
export async function applySteps(
  key: string,
  steps: readonly Effect[][],
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<Applied> {
  const applied: Applied = { failures: [], again: false, taken: false };
  for (const step of steps) {
    await inParallel(step, PARALLEL, async (effect) => {
      try {
        const done = await applyOne(key, effect, deps, signal);
        if (done === 'InTheWay') applied.again = true;
        if (done === 'Taken') applied.taken = true;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        deps.log.warn({ slice: key, node: effect.node, err: error.message }, 'a write was refused');
        applied.failures.push({ node: effect.node, message: inWords(error) });
      }
    });
    // what follows needs what this step was to make: a pod must never mount somebody else's object of the name
    if (applied.failures.length > 0 || applied.again || applied.taken) break;
  }
  return applied;
}

/** What has become of an effect: it has to wait where something that is about to go, or somebody else's, has the name. */
type Done = 'Done' | 'InTheWay' | 'Taken';

async function applyOne(key: string, effect: Effect, deps: ApplyDeps, signal: AbortSignal): Promise<Done> {
  if (effect.kind === 'edit') await edit(key, effect, deps, signal);
  if (effect.kind === 'remove' || effect.kind === 'replace') await remove(key, effect, deps, signal);
  if (effect.kind === 'create' || effect.kind === 'replace') return await create(key, effect, deps, signal);
  return 'Done';
}

async function edit(key: string, effect: Effect & { kind: 'edit' }, deps: ApplyDeps, signal: AbortSignal) {
  const { ref, patch } = effect;
  // the uid makes it a patch of this very object: of another of the name the server refuses it
  const guarded = { ...patch, metadata: { ...(patch['metadata'] as object | undefined), uid: ref.uid } };
  const options = { fieldManager: MANAGER, signal };
  const answer = await deps.client.patch<KubeObject>(resourceOf(ref), ref, guarded, options);
  deps.expectations.written(key, answer);
  deps.onWritten(effect, answer);
}

async function remove(
  key: string,
  effect: Effect & { kind: 'remove' | 'replace' },
  deps: ApplyDeps,
  signal: AbortSignal,
) {
  const { ref } = effect;
  const propagation = effect.kind === 'remove' ? effect.propagation : 'Background';
  const now = effect.kind === 'replace' && effect.now ? { gracePeriodSeconds: 0 } : {};
  await deps.client.remove(resourceOf(ref), ref, { propagation, ...now, signal });
  deps.expectations.removed(key, ref);
  if (effect.kind === 'remove') deps.onWritten(effect, undefined);
}

/** POST, never apply: it makes a new object or none, and so can not touch one that has the name already. */
async function create(
  key: string,
  effect: Effect & { kind: 'create' | 'replace' },
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<Done> {
  const { client, expectations, taken } = deps;
  const { object } = effect;
  try {
    const answer = await client.create(object, { fieldManager: MANAGER, signal });
    expectations.written(key, answer);
    deps.onWritten(effect, answer);
    return 'Done';
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const present = await client.get(resourceOf(object), object.metadata, signal);
    if (!present || isDeleting(present)) return 'InTheWay';
    if (controllerOf(present)?.uid === controllerOf(object)?.uid) {
      // ours: the answer to its creation was lost, or the store lags
      expectations.written(key, present);
      return 'Done';
    }
    taken.add(key, present);
    return 'Taken';
  }
}

/** The server understood and said no; a conflict, throttling or a failure of its own is not that. */
function isRefusal(error: unknown): error is ApiError {
  return (
    error instanceof ApiError && error.status >= 400 && error.status < 500 && ![401, 409, 429].includes(error.status)
  );
}

/** The server's own words, which name the object, without the request that they answer. */
function inWords(error: ApiError): string {
  return excerpt(error.message.replace(/^[A-Z]+ \S+: \d+ \w*: /, ''), 300);
}
