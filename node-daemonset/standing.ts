/** What each sliver pod is entitled to at this instant. Losing a right is never a promotion. */
import { isDeepStrictEqual } from 'node:util';
import type { Amounts } from '../crds/rspec.ts';
import { formatInstant } from './admission/ask.ts';
import type { Entry, Grant, Ledger } from './admission/ledger.ts';
import { holdsAt } from './admission/ledger.ts';
import type { Policy } from './admission/policy.ts';
import { leftAt, partsOf } from './admission/split.ts';
import type { PodRecord } from './pods.ts';
import { type Hold, restrained } from './restraint.ts';
import type { Sliver } from './sliver.ts';

/** How long a pod without a right may go on, in the penalty class, before it is frozen. */
export const PENALTY_MS = 30_000;

/** How long a pod may take to start: then it has its shares and no more, whatever keeps it. */
export const STARTING_MS = 120_000;
/** When those that start are looked at again. */
const STARTED_MS = 2_000;

export interface Standings {
  slivers: Sliver[];
  /** The records with what changed in them; the very same objects where nothing did. */
  pods: PodRecord[];
  /** When the next of them is to be frozen; ms since the epoch. */
  wakeAt: number | undefined;
}

/** Why a right gives nothing at this instant; undefined where it holds. `parts`: what is split from it. */
export function whyNot(
  entry: Entry | undefined,
  blackouts: Policy['blackouts'],
  now: number,
  holds: readonly Hold[] = [],
  parts: readonly Grant[] = [],
): string | undefined {
  const grant = entry?.grant;
  if (!entry || !grant) return entry?.refusal?.reason ?? 'NotGranted';
  if (!grant.sliceName) return 'NotBound';
  if (!holdsAt(grant.period, now)) return (grant.period.end ?? Infinity) <= now ? 'Expired' : 'WindowNotOpen';
  // what somebody has to end goes before what ends by itself
  const held = { namespace: entry.namespace, slice: grant.sliceName, uid: entry.uid };
  if (restrained(holds, held).suspended) return 'Suspended';
  if (!leftAt(grant, parts, now)) return 'GivenAway';
  return blackouts.some(({ period }) => holdsAt(period, now)) ? 'Blackout' : undefined;
}

/** The blackout that is on, for people: until when, by those that follow at once as well, and why. undefined: none is. */
export function blackoutAt(blackouts: Policy['blackouts'], now: number): string | undefined {
  const sorted = blackouts.toSorted((a, b) => (a.period.start ?? 0) - (b.period.start ?? 0));
  const on = sorted.find(({ period }) => holdsAt(period, now));
  if (!on) return undefined;
  let until = on.period.end ?? 0;
  for (const { period } of sorted) if ((period.start ?? 0) <= until) until = Math.max(until, period.end ?? 0);
  return `the owner keeps slices off the node until ${formatInstant(until)}${on.reason && `: ${on.reason}`}`;
}

/**
 * Whether a pod was started for another slice than its right is bound to: it stays that slice's sliver, whom others may have
 * suspended by its name. So a right that the node took for a new one gives it nothing.
 */
export function isOfAnother({ slice }: PodRecord, grant: Grant | undefined): boolean {
  return slice !== undefined && grant?.sliceName !== undefined && slice !== grant.sliceName;
}

/** At most one pod of an rcap is entitled: the one whose volume was published first. */
export function planStandings(
  pods: readonly PodRecord[],
  ledger: Ledger,
  blackouts: Policy['blackouts'],
  now: number,
  hasStarted: (uid: string) => boolean = () => true,
  holds: readonly Hold[] = [],
): Standings {
  const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  const parts = partsOf(ledger.entries);
  const holders = new Map<string, PodRecord>();
  for (const pod of pods) {
    if (pod.unpublished || isOfAnother(pod, entries.get(pod.rcap.uid)?.grant)) continue;
    const first = holders.get(pod.rcap.uid);
    if (!first || before(pod, first)) holders.set(pod.rcap.uid, pod);
  }
  let wakeAt: number | undefined;
  const next = pods.map((pod) => {
    const entry = entries.get(pod.rcap.uid);
    const own = parts.get(pod.rcap.uid) ?? [];
    if (holders.get(pod.rcap.uid) === pod && whyNot(entry, blackouts, now, holds, own) === undefined) {
      return entitle(pod, entry!.grant!.sliceName, leftAt(entry!.grant!, own, now)!);
    }
    // A clock that was set back must not stretch the penalty.
    const penalisedSince = Math.min(pod.penalisedSince ?? now, now);
    const freezeAt = penalisedSince + PENALTY_MS;
    if (freezeAt > now) wakeAt = Math.min(wakeAt ?? Infinity, freezeAt);
    return penalisedSince === pod.penalisedSince ? pod : { ...pod, penalisedSince };
  });
  const slivers = next.map((pod) => {
    const one = sliver(pod, holds, now);
    // A clock that was set back must not stretch it.
    const isNew = now >= pod.publishedAt && now - pod.publishedAt < STARTING_MS;
    return isNew && one.standing === 'entitled' && !hasStarted(pod.uid) ? { ...one, starting: true } : one;
  });
  if (slivers.some(({ starting }) => starting)) wakeAt = Math.min(wakeAt ?? Infinity, now + STARTED_MS);
  return { slivers, pods: next, wakeAt };
}

function entitle(pod: PodRecord, slice: string | undefined, left: Amounts): PodRecord {
  const isSame = pod.amounts === left || isDeepStrictEqual(pod.amounts, left);
  if (pod.penalisedSince === undefined && isSame && pod.slice === slice) return pod;
  const { penalisedSince: _, ...rest } = pod;
  return { ...rest, amounts: left, slice };
}

function sliver(pod: PodRecord, holds: readonly Hold[], now: number): Sliver {
  const { uid: id, rcap, slice, amounts, classId, number, addresses, interfaces, penalisedSince } = pod;
  const lost = penalisedSince === undefined ? undefined : now - penalisedSince;
  const standing = lost === undefined ? 'entitled' : lost < PENALTY_MS ? 'penalised' : 'frozen';
  const network = amounts.network;
  const restraintLimit = restrained(holds, { namespace: rcap.namespace, slice }).egressLimit;
  const known = {
    addresses,
    ...(interfaces && { interfaces }),
    ...(restraintLimit !== undefined && { restraintLimit }),
  };
  return { id, rcap, slice, standing, network, amounts, classId, number, ...known };
}

function before(a: PodRecord, b: PodRecord): boolean {
  return a.publishedAt < b.publishedAt || (a.publishedAt === b.publishedAt && a.uid < b.uid);
}
