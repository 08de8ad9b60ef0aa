/** One pass over one Watchdog: read where it is time to, plan, restrain and free, report. */
import { WatchdogReason } from '../../crds/conditions.ts';
import { API_VERSION } from '../../crds/names.ts';
import type { Restraint, Watchdog, WatchdogSpec } from '../../crds/types.ts';
import { describe, validateWatchdog } from '../../crds/validate.ts';
import type { ApiClient } from '../../kube/client.ts';
import { FencedError, isStatus } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Log } from '../../kube/log.ts';
import { After, Done, type Outcome } from '../../kube/workers.ts';
import { isDeleting, type KubeObject } from '../kinds.ts';
import { STATUS_MANAGER } from '../managers.ts';
import type { Stores } from '../stores.ts';
import { announcer } from './announce.ts';
import { Hold } from './hold.ts';
import { look, type Look } from './observe.ts';
import { type Memory, planWatch, timeless, type WatchPlan } from './plan.ts';
import type { Readings } from './readings.ts';
import { NO_RIGHTS, type Rights, rightsOf } from './rights.ts';
import { keyOfSlice } from './rows.ts';
import { countingOf, isNews, planWatchdogStatus, restore, type WatchView } from './status.ts';
import { termsOf } from './terms.ts';
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

/** What is remembered of one Watchdog; of another uid or generation it begins anew from the status. */
interface Running {
  uid: string | undefined;
  generation: number | undefined;
  /** What its totals are of. */
  counting: string;
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
    const before = known?.uid === uid ? known : undefined;
    const hold = before?.hold ?? new Hold(client, stores, deps.monotonic);
    const counting = countingOf(watchdog.spec);
    // an edit of the terms takes nothing away of what was counted; how long it was so by other terms says nothing
    const past = before?.counting === counting ? { ...before, memory: timeless(before.memory) } : restore(watchdog);
    const { memory, totals } = past;
    const fresh: Running = {
      ...{ uid, generation, counting, memory, totals, hold },
      ...{ last: undefined, rights: NO_RIGHTS, lastAt: 0, problem: undefined, dueAt: 0 },
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
    // whoever made them may have ended before it was said
    for (const [key, restraint] of held) {
      if (one.memory.get(key)?.state !== 'Restrained') announce.acted(watchdog, key, restraint);
    }
    for (const key of plan.act) {
      const { value, aboveSince } = memory.get(key)!;
      memory.set(key, { value, ...(aboveSince !== undefined && { aboveSince }) });
      await attempt(one, key, async () => {
        announce.acted(watchdog, key, await one.hold.restrain(watchdog, key, value, signal));
        memory.set(key, plan.memory.get(key)!);
        log.warn({ watchdog: watchdog.metadata.name, key, value, action: spec.action }, 'a watchdog acted');
      });
    }
    announce.wouldAct(
      watchdog,
      plan.wouldAct.map((key) => ({ key, value: memory.get(key)!.value })),
    );
    for (const key of plan.pardoned) announce.pardoned(watchdog, key);
    for (const key of plan.lift) {
      memory.set(key, one.memory.get(key) ?? memory.get(key)!);
      await attempt(one, key, async () => {
        await one.hold.free(held.get(key)!, signal);
        memory.set(key, plan.memory.get(key)!);
        announce.lifted(watchdog, key);
      });
    }
    if (!spec.dryRun) {
      for (const [key, restraint] of one.hold.of(watchdog)) {
        await attempt(one, key, () => uphold(watchdog, one, key, restraint, signal));
      }
    }
    return memory;
  }

  /** What can't be done to one slice keeps nobody from what is to be done to others. */
  async function attempt(one: Running, key: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof FencedError) throw error;
      one.problem = { reason: WatchdogReason.NotAllowed, message: `${key}: ${(error as Error).message}` };
    }
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
    try {
      const options = { fieldManager: STATUS_MANAGER, force: true, subresource: 'status' } as const;
      await client.apply<KubeObject>(object, options, signal);
    } catch (error) {
      if (error instanceof FencedError) throw error;
      // it goes on watching and acting; the next pass tries again
      log.error({ watchdog: name, err: error }, "a watchdog's status could not be written");
    }
  }
}
