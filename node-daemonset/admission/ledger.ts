/**
 * The node's books: who was granted what, and when it holds. Pure arithmetic; every instant of every window counts, so
 * that a right that starts tomorrow is as safe as one that runs.
 */
import type { Amounts } from '../../crds/rspec.ts';
import { LEAST_EGRESS } from '../sliver.ts';

/** A right's time, in ms since the epoch: from `start` up to but without `end`; undefined is without bound. */
export interface Period {
  start: number | undefined;
  end: number | undefined;
}

/** What a node granted, whatever the spec says now. */
export interface Grant {
  /** The generation of the spec that was granted. */
  generation: number;
  amounts: Amounts;
  period: Period;
  contact: string;
  /** The slice it is bound to; once set it never changes. */
  sliceName: string | undefined;
  /** When it was granted, in ms since the epoch. */
  time: number;
  /** What `spec.from` named when it was granted; it never changes. */
  from?: string;
  /** The uid of the granted right that it is part of now: what it takes is taken from there, not from the node. */
  parent?: string;
}

/** What a node refused. It is final for its generation. */
export interface Refusal {
  generation: number;
  reason: string;
  message: string;
  time: number;
}

/**
 * One rcap: only `grant` is granted, only `refusal` denied or expired, both granted with its last edit refused. None of them: what it
 * held is still to be asked for anew.
 */
export interface Entry {
  uid: string;
  namespace: string;
  name: string;
  grant?: Grant;
  refusal?: Refusal;
  /** What it held when the Node was registered anew, as long as that is not granted anew: it asks for that, and of the same right. */
  former?: Grant;
}

/** What a right was bound to that holds nothing now, or is not seen any more: it stays so for the right's life. */
export interface Binding {
  /** The rcap's. */
  uid: string;
  namespace: string;
  sliceName: string;
  /** Since when it holds nothing, in ms since the epoch. */
  time: number;
}

export interface Ledger {
  /** The uid of the Node under which the grants were made; undefined before the node is known. */
  nodeUID: string | undefined;
  /** Earlier uids of the same Node, newest first: what they granted was ours. */
  formerNodeUIDs: string[];
  entries: Entry[];
  /** Absent: none. */
  bindings?: Binding[];
  /** Whether what was granted before this ledger began has been taken back from the statuses of rcaps: once, as they prove nothing. */
  recovered?: boolean;
}

export const EMPTY_LEDGER: Ledger = { nodeUID: undefined, formerNodeUIDs: [], entries: [] };

/** What is counted: shares in 1/1000 of the node, egress in bits/s, memory and disk in bytes, pods. */
export interface Books {
  shares: number;
  egress: number;
  memory: number;
  disk: number;
  pods: number;
}

export const NO_BOOKS: Books = { shares: 0, egress: 0, memory: 0, disk: 0, pods: 0 };

/** A stretch of time in which the sums do not change. */
export interface Stretch extends Period {
  sums: Books;
}

export function holdsAt(period: Period, instant: number): boolean {
  return (period.start ?? -Infinity) <= instant && instant < (period.end ?? Infinity);
}

export function overlaps(a: Period, b: Period): boolean {
  return (a.start ?? -Infinity) < (b.end ?? Infinity) && (b.start ?? -Infinity) < (a.end ?? Infinity);
}

/** What a right takes from the node: one that is part of another no more than its pod. */
export function taken({ amounts, parent }: Pick<Grant, 'amounts' | 'parent'>): Books {
  return parent === undefined ? booked(amounts) : { ...NO_BOOKS, pods: 1 };
}

/** What one right is worth, whomever it is taken from. */
export function booked(amounts: Amounts): Books {
  return {
    shares: amounts.shares,
    egress: Math.max(amounts.egressGuarantee, LEAST_EGRESS),
    memory: amounts.memory ?? 0,
    disk: amounts.disk ?? 0,
    pods: 1,
  };
}

export function plus(a: Books, b: Books, sign: 1 | -1 = 1): Books {
  return {
    shares: a.shares + sign * b.shares,
    egress: a.egress + sign * b.egress,
    memory: a.memory + sign * b.memory,
    disk: a.disk + sign * b.disk,
    pods: a.pods + sign * b.pods,
  };
}

/** The sums of what is granted, over a period: one stretch after the other, without gaps. */
export function stretches(grants: readonly Grant[], period: Period): Stretch[] {
  const from = period.start ?? -Infinity;
  const to = period.end ?? Infinity;
  let sums = NO_BOOKS;
  const changes: { at: number; sign: 1 | -1; books: Books }[] = [];
  for (const grant of grants) {
    if (!overlaps(grant.period, period)) continue;
    const books = taken(grant);
    const start = grant.period.start ?? -Infinity;
    const end = grant.period.end ?? Infinity;
    if (start <= from) sums = plus(sums, books);
    else changes.push({ at: start, sign: 1, books });
    if (end < to) changes.push({ at: end, sign: -1, books });
  }
  changes.sort((a, b) => a.at - b.at);
  const result: Stretch[] = [];
  let at = from;
  for (const change of changes) {
    if (change.at > at) {
      result.push({ start: finite(at), end: change.at, sums });
      at = change.at;
    }
    sums = plus(sums, change.books, change.sign);
  }
  result.push({ start: finite(at), end: finite(to), sums });
  return result;
}

/** What is granted at one instant. */
export function sumsAt(grants: readonly Grant[], instant: number): Books {
  return grants
    .filter((grant) => holdsAt(grant.period, instant))
    .reduce((sums, grant) => plus(sums, taken(grant)), NO_BOOKS);
}

/** The most that is granted of each kind at any instant of a period. */
export function peak(grants: readonly Grant[], period: Period): Books {
  const most = { ...NO_BOOKS };
  for (const { sums } of stretches(grants, period)) {
    for (const kind of Object.keys(most) as (keyof Books)[]) most[kind] = Math.max(most[kind], sums[kind]);
  }
  return most;
}

export function grantsOf(ledger: Ledger): Grant[] {
  return ledger.entries.flatMap((entry) => entry.grant ?? []);
}

/** The next instant after `now` at which some right starts or ends; undefined where none does. */
export function nextEdge(ledger: Ledger, now: number): number | undefined {
  let next = Infinity;
  for (const { period } of grantsOf(ledger)) {
    for (const edge of [period.start, period.end]) if (edge !== undefined && edge > now) next = Math.min(next, edge);
  }
  return finite(next);
}

function finite(instant: number): number | undefined {
  return Number.isFinite(instant) ? instant : undefined;
}
