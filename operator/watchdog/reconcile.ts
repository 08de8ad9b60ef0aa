/** One pass over one Watchdog: read where it is time to, plan, restrain and free, report. */
import { WatchdogReason } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import { parseQuantity } from '../../crds/quantity.ts';
import type { Restraint, Watchdog, WatchdogSpec } from '../../crds/types.ts';
import { describe, validateWatchdog } from '../../crds/validate.ts';
import type { ApiClient } from '../../kube/client.ts';
import { isStatus } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Log } from '../../kube/log.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { isDeleting, type KubeObject } from '../kinds.ts';
import { STATUS_MANAGER } from '../managers.ts';
import type { Stores } from '../stores.ts';
import { announcer } from './announce.ts';
import { Hold } from './hold.ts';
import { look, type Look } from './observe.ts';
import { type Memory, planWatch, type Terms, type WatchPlan } from './plan.ts';
import type { Readings } from './readings.ts';
import { NO_RIGHTS, type Rights, rightsOf } from './rights.ts';
import { keyOfSlice } from './rows.ts';
import { isNews, planWatchdogStatus, restore, type WatchView } from './status.ts';
import { forgive, type Totals } from './totals.ts';

export interface WatchdogDeps {
  client: ApiClient;
  stores: Stores;
  readings: Readings;
  recorder: Pick<EventRecorder, 'record'>;
  log: Log;
  /** ms since the epoch */
  now: () => number;
  /** ms of a clock that only grows */
  monotonic: () => number;
}

const EVERY_SECONDS = 10;
const LIFT_SECONDS = 60;
const MOST = 10;

/** What is remembered of one Watchdog; of another uid or generation it begins anew from the status. */
interface Running {
  uid: string | undefined;
  generation: number | undefined;
  memory: Memory;
  totals: Totals;
  last: Look | undefined;
  /** As they were then. */
  rights: Rights;
  /** When that was, by the clock that only grows: what lasts is measured by it. */
  lastAt: number;
  problem: WatchView['problem'];
  /** When it reads again, by the clock that only grows. */
  dueAt: number;
  hold: Hold;
}

export function watchdogReconciler(deps: WatchdogDeps) {
  const { client, stores, recorder, log } = deps;
  const running = new Map<string, Running>();
  const announce = announcer(recorder, stores);

  return async (name: string, signal: AbortSignal): Promise<Outcome> => {
    const watchdog = stores.watchdogs.get(name);
    if (!watchdog || isDeleting(watchdog)) {
      running.delete(name);
      return Done;
    }
    const one = remembered(watchdog);
    const violations = validateWatchdog(watchdog);
    if (violations.length > 0) {
      one.problem = { reason: WatchdogReason.InvalidSpec, message: describe(violations) };
      await report(watchdog, one, [], signal);
      return Done;
    }
    if (deps.monotonic() >= one.dueAt) await read(watchdog, one, signal);
    let tooMany: string[] = [];
    if (one.last) {
      const held = one.hold.of(watchdog);
      const plan = planWatch({
        terms: termsOf(watchdog.spec),
        memory: one.memory,
        values: one.last.values,
        unheard: unheardOf(watchdog.spec, one),
        held: new Set(held.keys()),
        gone: goneOf(watchdog.spec, held.keys()),
        now: one.lastAt,
      });
      if (watchdog.spec.periodSeconds !== undefined) {
        // also in what is written down: it is what a restart goes on from
        for (const key of plan.pardoned) plan.memory.get(key)!.value = 0;
        one.totals = forgive(one.totals, plan.pardoned);
        one.last = { ...one.last, values: one.totals.sums };
      }
      one.memory = await carryOut(watchdog, one, plan, held, signal);
      tooMany = plan.tooMany;
    }
    await report(watchdog, one, tooMany, signal);
    return After(Math.max(1, one.dueAt - deps.monotonic()));
  };

  function remembered(watchdog: Watchdog): Running {
    const { name, uid, generation } = watchdog.metadata;
    const known = running.get(name);
    if (known?.uid === uid && known?.generation === generation) return known!;
    const hold = known?.uid === uid && known ? known.hold : new Hold(client, stores, deps.monotonic);
    const fresh = {
      uid,
      generation,
      ...restore(watchdog),
      last: undefined,
      rights: NO_RIGHTS,
      lastAt: 0,
      problem: undefined,
      dueAt: 0,
      hold,
    };
    running.set(name, fresh);
    return fresh;
  }

  async function read(watchdog: Watchdog, one: Running, signal: AbortSignal): Promise<void> {
    const { spec } = watchdog;
    one.dueAt = deps.monotonic() + (spec.everySeconds ?? EVERY_SECONDS) * 1000;
    try {
      const answers = await deps.readings.read(spec.read.sensor, spec.read.arguments ?? [], signal);
      const [before, rights] = [
        one.rights,
        rightsOf(
          stores,
          answers.map(({ node }) => node),
        ),
      ];
      // a right that was given back since the last reading hides nothing of what was sent with it
      const believed = (node: string, slice: string): boolean => rights(node).has(slice) || before(node).has(slice);
      const seen = look(spec, answers, one.totals, believed, deps.now());
      one.rights = rights;
      if (seen.answered === 0) throw new Error(seen.silent[0] ?? 'there is no node');
      one.last = seen;
      one.lastAt = deps.monotonic();
      one.totals = seen.totals;
      one.problem = undefined;
    } catch (error) {
      // what was seen before stays as it is: nothing was above the limit, or below it, since
      one.last &&= { ...one.last, answered: 0 };
      one.problem = {
        reason: WatchdogReason.NoReadings,
        message: `nothing could be read: ${(error as Error).message}`,
      };
    }
  }

  /** A slice may have sent more than it seems where a node with a right of its did not say so. */
  function unheardOf(spec: WatchdogSpec, { last, rights }: Running): Set<string> {
    const slices = (last?.unheard ?? []).flatMap((node) => [...rights(node)]);
    return new Set(slices.map((slice) => keyOfSlice(spec, slice)));
  }

  /** Whoever is terminated is meant to be gone, and counts. */
  function goneOf({ action }: WatchdogSpec, keys: Iterable<string>): Set<string> {
    if (action === 'Terminate') return new Set();
    return new Set([...keys].filter((key) => key.includes('/') && !stores.slices.get(key)));
  }

  /** What was decided and could not be done is not remembered as done. */
  async function carryOut(
    watchdog: Watchdog,
    one: Running,
    plan: WatchPlan,
    held: ReadonlyMap<string, Restraint>,
    signal: AbortSignal,
  ): Promise<Memory> {
    const memory = new Map(plan.memory);
    const { spec } = watchdog;
    for (const key of plan.act) {
      const { value, aboveSince } = memory.get(key)!;
      try {
        await one.hold.restrain(watchdog, key, value, signal);
        announce.acted(watchdog, key, value);
        log.warn({ watchdog: watchdog.metadata.name, key, value, action: spec.action }, 'a watchdog acted');
      } catch (error) {
        memory.set(key, { value, ...(aboveSince !== undefined && { aboveSince }) });
        one.problem = { reason: WatchdogReason.NotAllowed, message: `${key}: ${(error as Error).message}` };
      }
    }
    for (const key of plan.wouldAct) announce.wouldAct(watchdog, key, memory.get(key)!.value);
    for (const key of plan.pardoned) announce.pardoned(watchdog, key);
    for (const key of plan.lift) {
      await one.hold.free(held.get(key)!, signal);
      announce.lifted(watchdog, key);
    }
    if (!spec.dryRun) {
      for (const [key, restraint] of one.hold.of(watchdog)) await uphold(watchdog, one, key, restraint, signal);
    }
    return memory;
  }

  async function uphold(watchdog: Watchdog, one: Running, key: string, restraint: Restraint, signal: AbortSignal) {
    await one.hold.keep(watchdog, key, restraint, signal);
    if (watchdog.spec.action !== 'Terminate') return;
    try {
      for (const slice of await one.hold.terminate(key, restraint, signal)) announce.terminated(watchdog, slice);
    } catch (error) {
      if (!isStatus(error, 403)) throw error;
      const message = `${key} is suspended and not deleted: that takes the chart's value operator.terminateSlices`;
      one.problem = { reason: WatchdogReason.NotAllowed, message };
    }
  }

  async function report(watchdog: Watchdog, one: Running, tooMany: readonly string[], signal: AbortSignal) {
    const { memory, totals, problem, last } = one;
    const held = one.hold.of(watchdog).size;
    const { answered = 0, silent = [], time } = last ?? {};
    const view = { memory, totals, held, answered, silent, tooMany, problem, time };
    const status = planWatchdogStatus(watchdog, view, deps.now());
    if (!isNews(watchdog.status, status)) return;
    const { name, uid } = watchdog.metadata;
    const object = { apiVersion: API_VERSION, kind: 'Watchdog', metadata: { name, uid }, status };
    await client.apply<KubeObject>(
      object,
      { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' },
      signal,
    );
  }
}

export function termsOf({ above, forSeconds = 0, lift, most = MOST, dryRun = false }: WatchdogSpec): Terms {
  const { below, forSeconds: liftSeconds = LIFT_SECONDS } = lift ?? {};
  return {
    above: parseQuantity(above),
    forMs: forSeconds * 1000,
    lift: below === undefined ? undefined : { below: parseQuantity(below), forMs: liftSeconds * 1000 },
    most,
    dryRun,
  };
}
