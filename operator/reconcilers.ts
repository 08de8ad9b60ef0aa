/** Every controller's pass over one key, put together from what the operator knows. */
import type { Slice } from '../crds/types.ts';
import type { Outcome } from '../kube/workers.ts';
import { Acquiring } from './brokers/default/acquiring.ts';
import { defaultBrokerReconciler, look } from './brokers/default/reconcile.ts';
import { capabilityReconciler } from './capability/reconcile.ts';
import type { Work } from './controllers.ts';
import { countLocal } from './local/metrics.ts';
import { localReconciler } from './local/reconcile.ts';
import { Combinations } from './node/defaults.ts';
import { policyReconciler } from './node/policies.ts';
import { nodeReconciler } from './node/reconcile.ts';
import type { OperatorOptions } from './operator.ts';
import { sensorReconciler } from './sensor/reconcile.ts';
import { Books } from './site/books.ts';
import { announceTo } from './slice/announce.ts';
import { BootScripts } from './slice/bootscripts.ts';
import { BudgetNews } from './slice/budgets.ts';
import { Expectations } from './slice/expectations.ts';
import { Failures } from './slice/failures.ts';
import { Pace } from './slice/pace.ts';
import type { NodeState } from './slice/plan/input.ts';
import { sliceReconciler } from './slice/reconcile.ts';
import { Taken } from './slice/taken.ts';
import type { Stores } from './stores.ts';
import { watchdogReconciler } from './watchdog/reconcile.ts';

export interface ReconcilersOf extends OperatorOptions {
  stores: Stores;
  nodes: () => ReadonlyMap<string, NodeState>;
  /** Has a slice looked at again. */
  again: (slice: string) => void;
  /** Has a slice's rights looked at again, and the slice with them. */
  acquireAgain: (slice: string) => void;
  /** Puts our finalizer on a Slice that has none, takes it off one that is being deleted. */
  finalize: (slice: Slice) => Promise<void>;
}

type Reconcile = (key: string, signal: AbortSignal) => Promise<Outcome>;

/** Those of controllers that do not run do nothing before they are called. */
export function reconcilersOf(of: ReconcilersOf): Readonly<Record<Work, Reconcile>> {
  const { client, stores, nodes, recorder, log, clock, readings, controllers, releaseNamespace } = of;
  const monotonic = () => clock.monotonic();
  const now = () => clock.wall();
  const common = { client, stores, nodes, failures: new Failures(of.again), announce: announceTo(recorder), log, now };
  const books = of.siteShares && new Books(of.siteShares, stores, monotonic, of.acquireAgain);
  const memories = () => ({ expectations: new Expectations(monotonic), taken: new Taken(monotonic) });
  const brokers = memories();
  const combinations = new Combinations();
  const acquiring = new Acquiring((key) => !brokers.expectations.met(key, (ref) => look(stores, ref)));
  return {
    slice: sliceReconciler({
      ...common,
      acquiring,
      ...memories(),
      bootScripts: new BootScripts(client, monotonic),
      pace: new Pace(monotonic, of.statusIntervalMs),
      budgetNews: new BudgetNews(recorder),
      brokering: controllers.has('broker'),
      books: controllers.has('broker') ? books : undefined,
      finalize: of.finalize,
    }),
    broker: defaultBrokerReconciler({ ...common, ...brokers, acquiring, books }),
    capability: capabilityReconciler({ client, stores, nodes, recorder, log }),
    node: nodeReconciler({ client, stores, combinations, recorder, log }),
    policy: policyReconciler({ client, stores, combinations, now, monotonic }),
    watchdog: watchdogReconciler({ client, stores, readings, recorder, log, now, monotonic }),
    sensor: sensorReconciler({ client, stores, releaseNamespace, now, monotonic }),
    local: localReconciler({ client, stores, nodes, count: countLocal(of.metrics.registry), monotonic, log }),
  };
}
