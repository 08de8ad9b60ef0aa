/** Carries the queue's plan out: the only place where the broker writes. */
import { BrokerCondition, setCondition } from '../../../crds/conditions.ts';
import { LABEL_QUEUED, SECRET_KEY } from '../../../crds/names.ts';
import type { Slice } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { ApiError, isAlreadyExists, isStatus } from '../../../kube/errors.ts';
import type { Log } from '../../../kube/log.ts';
import { resourceOf, Resources, type KubeObject } from '../../../kube/resources.ts';
import { digestIn, type Secret } from '../../capability/value.ts';
import { isDeleting } from '../../kinds.ts';
import type { Expectations } from '../../slice/expectations.ts';
import { inParallel } from '../../slice/parallel.ts';
import { excerpt } from '../../slice/plan/wording.ts';
import type { Effect, QueuePlan } from './input.ts';
import { secretOf } from './rights.ts';

export const MANAGER = 'slice-queue';
const STATUS_MANAGER = 'slice-queue-status';
/** Writes at a time. */
const PARALLEL = 16;
/** The key of what was written and is to be seen: the queue is planned as one. */
export const QUEUE = 'queue';

export interface ApplyDeps {
  client: ApiClient;
  expectations: Expectations;
  log: Log;
  /** Told of a write that was refused for this slice. */
  refused: (uid: string, message: string) => void;
  /** Told that its namespace lets nothing be told, or deleted. */
  barred: (uid: string, message: string) => void;
  now: () => number;
}

/**
 * What a slice is told comes first: that its window is open must be known before the part is put away, or a broker that comes
 * back later would take it for a window that nobody opened; and who can be told nothing is given nothing. True: look again soon,
 * something was in the way. What was refused is not: it is asked for again in its time.
 */
export async function applyQueue(plan: QueuePlan, deps: ApplyDeps, signal: AbortSignal): Promise<boolean> {
  const untold = new Set<string>();
  let again = false;
  const run = async (uid: string, tells: 'refused' | 'barred', write: () => Promise<boolean>): Promise<void> => {
    try {
      if (await write()) return;
      again = true;
      untold.add(uid);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      untold.add(uid);
      deps.log.warn({ slice: uid, err: error.message }, 'a write was refused');
      deps[tells](uid, inWords(error));
    }
  };
  await inParallel(plan.told, PARALLEL, ({ slice, verdict }) =>
    run(slice.metadata.uid ?? '', 'barred', () =>
      tell(slice, { ...verdict, type: BrokerCondition.Queued }, deps, signal),
    ),
  );
  const effects = plan.effects.filter(({ uid }) => !untold.has(uid));
  await inParallel(effects, PARALLEL, (effect) =>
    run(effect.uid, effect.kind === 'remove' ? 'barred' : 'refused', () => applyOne(effect, deps, signal)),
  );
  return again;
}

/** All conditions in one patch for this very version: some servers take them for one field. False where it is an old one. */
async function tell(
  slice: Slice,
  condition: Parameters<typeof setCondition>[1],
  { client, expectations, now }: ApplyDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace, name, resourceVersion, generation } = slice.metadata;
  const said = { ...condition, observedGeneration: generation ?? 0 };
  const conditions = setCondition(slice.status?.conditions, said, new Date(now()));
  const patch = { metadata: { resourceVersion }, status: { conditions } };
  const options = { subresource: 'status', fieldManager: STATUS_MANAGER, signal };
  try {
    const answer = await client.patch<KubeObject>(Resources.Slice, { namespace, name }, patch, options);
    expectations.written(QUEUE, answer);
    return true;
  } catch (error) {
    if (isStatus(error, 404, 409)) return false;
    throw error;
  }
}

/** False where what is about to go is in the way. */
async function applyOne(effect: Effect, deps: ApplyDeps, signal: AbortSignal): Promise<boolean> {
  const { client, expectations } = deps;
  if (effect.kind === 'create') return await create(effect.object, deps, signal);
  if (effect.kind === 'give') return await give(effect, deps, signal);
  const { ref } = effect;
  if (effect.kind === 'remove') {
    await client.remove(resourceOf(ref), ref, { propagation: effect.propagation, signal });
    expectations.removed(QUEUE, ref);
    return true;
  }
  const patch = { ...effect.patch, metadata: { uid: ref.uid } };
  const options = { fieldManager: MANAGER, signal };
  expectations.written(QUEUE, await client.patch<KubeObject>(resourceOf(ref), ref, patch, options));
  return true;
}

/** The Secret first: an rcap is read once, and a Secret that is not there is like a false one. */
async function give(effect: Effect & { kind: 'give' }, deps: ApplyDeps, signal: AbortSignal): Promise<boolean> {
  const { slice, part, object } = effect;
  const { namespace } = part.metadata;
  const made = await deps.client.get<Secret>(Resources.Secret, { namespace, name: part.spec.valueSecret! }, signal);
  const value = made?.data?.[SECRET_KEY];
  // an earlier one of that name is on its way out
  if (!value || digestIn(made) !== part.status?.valueDigest) return false;
  await deps.client.create(secretOf(slice, part, value), { fieldManager: MANAGER, signal }).catch((error: unknown) => {
    // its name is the part's: it was made before, and can't be changed
    if (!isAlreadyExists(error)) throw error;
  });
  return await create(object, deps, signal);
}

async function create(object: KubeObject, { client, expectations }: ApplyDeps, signal: AbortSignal): Promise<boolean> {
  try {
    expectations.written(QUEUE, await client.create(object, { fieldManager: MANAGER, signal }));
    return true;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const present = await client.get<KubeObject>(resourceOf(object), object.metadata, signal);
    if (!present || isDeleting(present)) return false;
    if (present.metadata.labels?.[LABEL_QUEUED] !== object.metadata.labels?.[LABEL_QUEUED]) throw error;
    // ours: the answer to its creation was lost, or the store lags
    expectations.written(QUEUE, present);
    return true;
  }
}

/** The server understood and said no. */
function isRefusal(error: unknown): error is ApiError {
  if (isAlreadyExists(error)) return true;
  return (
    error instanceof ApiError && error.status >= 400 && error.status < 500 && ![401, 409, 429].includes(error.status)
  );
}

function inWords(error: ApiError): string {
  return excerpt(error.message.replace(/^[A-Z]+ \S+: \d+ \w*: /, ''), 300);
}
