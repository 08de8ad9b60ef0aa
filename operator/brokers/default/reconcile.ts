/** One pass of the default broker over one slice: gather, plan, apply. It writes ResourceCapabilities and nothing else. */
import { FINALIZER } from '../../../crds/names.ts';
import type { ApiClient } from '../../../kube/client.ts';
import type { Log } from '../../../kube/log.ts';
import { After, Done, type Outcome } from '../../../kube/workers.ts';
import { isDeleting, type ObjectRef } from '../../kinds.ts';
import type { Announce } from '../../slice/announce.ts';
import { applySteps } from '../../slice/apply.ts';
import type { Expectations, Seen } from '../../slice/expectations.ts';
import type { Failures } from '../../slice/failures.ts';
import { gather } from '../../slice/gather.ts';
import { earliest } from '../../slice/plan/backoff.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import type { Taken } from '../../slice/taken.ts';
import type { Books } from '../../site/books.ts';
import type { Stores } from '../../stores.ts';
import type { Acquiring } from './acquiring.ts';
import { planDefaultBroker } from './plan.ts';

export interface DefaultBrokerDeps {
  client: ApiClient;
  stores: Stores;
  nodes: () => ReadonlyMap<string, NodeState>;
  expectations: Expectations;
  taken: Taken;
  /** What was refused is told in the Slice's status by the controller that writes it. */
  failures: Failures;
  /** The pools of sites; undefined: there are none. */
  books: Books | undefined;
  acquiring: Acquiring;
  announce: Pick<Announce, 'effect'>;
  log: Log;
  /** ms since the epoch */
  now: () => number;
}

/** A store that lags shows our writes within milliseconds, and says so by an event; this is for when none comes. */
const LOOK_AGAIN_MS = 250;
const IN_THE_WAY_MS = 1_000;

export function defaultBrokerReconciler(deps: DefaultBrokerDeps) {
  const { stores, expectations, taken, failures, books } = deps;

  return async (key: string, signal: AbortSignal): Promise<Outcome> => {
    if (!expectations.met(key, (ref) => look(stores, ref))) return After(LOOK_AGAIN_MS);
    const slice = stores.slices.get(key);
    if (!slice) {
      for (const memory of [expectations, taken, failures, books]) memory?.forget(key);
      return Done;
    }
    // nothing is acquired for what could go without giving it back
    if (isDeleting(slice) || !slice.metadata.finalizers?.includes(FINALIZER)) return Done;
    await taken.refresh(key, deps.client, signal);
    const input = gather(key, stores, deps.nodes(), { taken, bootScript: undefined, brokering: true, books });
    if (!input) return Done;
    const { effects, account, wakeAt } = planDefaultBroker(input, deps.now());
    // before anything is awaited: whoever is planned next must know of it
    if (account) books?.write(input.slice, account);
    const onWritten = (effect: (typeof effects)[number]) => deps.announce.effect(slice, effect);
    // in the same turn in which the slice was seen not to end
    const applied = await deps.acquiring.during(key, () => applySteps(key, [effects], { ...deps, onWritten }, signal));
    failures.found(key, applied.failures);
    if (applied.failures.length > 0) throw new Error(`${key}: ${applied.failures[0]!.message}`);
    if (applied.taken) return After(1);
    const wakeIn = wakeAt === undefined ? undefined : Math.max(1, wakeAt - deps.now());
    const next = earliest(wakeIn, applied.again ? IN_THE_WAY_MS : undefined, taken.retryMs(key));
    return next === undefined ? Done : After(next);
  };
}

/** What the store shows of an rcap that we wrote. */
export function look(stores: Stores, { namespace, name }: ObjectRef): Seen | undefined {
  const found = stores.capabilities.get(`${namespace}/${name}`);
  if (!found) return undefined;
  const { uid, resourceVersion } = found.metadata;
  return { uid, resourceVersion, deleting: isDeleting(found) };
}
