/**
 * The node's answer to every rcap that names it. Pure and total: the same rcaps give the same ledger in whatever order
 * their events came. Never over-committed, never silently trimmed; a refusal is final for its generation.
 */
import { CapabilityReason } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { type Ask, formatInstant, isRefused, readAsk, readRecovered, type Refused } from './ask.ts';
import { type KnownHolder, newPorts } from './held.ts';
import { judge } from './judge.ts';
import type { Entry, Grant, Ledger } from './ledger.ts';
import { type Allocatable, offered, type Policy } from './policy.ts';

export interface AdmissionInput {
  ledger: Ledger;
  /** Every rcap with this node's label; undefined while the API server was not heard completely. */
  rcaps: readonly ResourceCapability[] | undefined;
  nodeName: string;
  /** What the API server knows of the Node; undefined until it says so: then nothing is decided. */
  node: (Allocatable & { uid: string }) | undefined;
  /** undefined while the owner's policy can't be read: then nothing new is decided. */
  policy: Policy | undefined;
  /** CPU that other pods requested, in 1/1000 of a core. */
  otherRequests: number;
  /** The rate of the slowest uplink in bits/s, where known. */
  lineRate?: number | undefined;
  /** Of the ports that are asked for (`askedPorts`), those in use on the node; undefined: not known, they must wait. */
  held: readonly KnownHolder[] | undefined;
  /** How many answers a namespace may have now; without it, any number. */
  turns?: (namespace: string) => number;
  /** ms since the epoch */
  now: number;
}

/** One line of the grant log. */
export interface Decision {
  event: 'granted' | 'renewed' | 'denied' | 'resizeDenied' | 'expired' | 'released';
  uid: string;
  namespace: string;
  name: string;
  grant?: Grant;
  reason?: string;
  message?: string;
}

export interface Admission {
  /** The very same object where nothing changed. */
  ledger: Ledger;
  decisions: Decision[];
  /** Namespaces with questions beyond their turn: they are answered later. */
  waiting: ReadonlySet<string>;
}

const FORMER_UIDS = 8;

/** Takes what is past off the books, then answers every new generation, oldest rcap first. */
export function planAdmission(input: AdmissionInput): Admission {
  const { rcaps, node, policy, nodeName, now } = input;
  const decisions: Decision[] = [];
  const before = forNode(input.ledger, node?.uid, decisions);
  let recovered = before.recovered ?? false;
  const turns = new Map<string, number>();
  const waiting = new Set<string>();
  const byUid = new Map(before.entries.map((entry) => [entry.uid, expire(entry, now, decisions)]));
  if (rcaps) {
    const seen = new Map(rcaps.map((rcap) => [rcap.metadata.uid ?? '', rcap]));
    for (const entry of byUid.values()) {
      if (seen.has(entry.uid)) continue;
      byUid.delete(entry.uid);
      if (entry.grant) decisions.push({ event: 'released', ...named(entry), grant: entry.grant });
    }
    if (node && policy) {
      const books = offered(policy, node, input.otherRequests, input.lineRate);
      const ordered = [...seen.values()].sort(byAge);
      const weighWith =
        (held: readonly KnownHolder[]) =>
        (ask: Ask): Refused | undefined => {
          const others = [...byUid.values()].filter((entry) => entry.uid !== ask.uid);
          return judge(ask, { policy, offered: books, others, held, now });
        };
      // What is taken back was looked at when it was granted: by now its own sliver has the ports.
      for (const rcap of before.recovered ? [] : ordered) {
        decisions.push(...adopt(readRecovered(rcap, nodeName, node.uid), byUid, input, weighWith([])));
      }
      recovered = true;
      const weigh = weighWith(input.held ?? []);
      for (const rcap of ordered) {
        if (!input.held && newPorts(rcap, byUid.get(rcap.metadata.uid ?? '')).length > 0) continue;
        const { namespace = '' } = rcap.metadata;
        const left = turns.get(namespace) ?? input.turns?.(namespace) ?? Infinity;
        if (left < 1 && answeredUntil(byUid.get(rcap.metadata.uid ?? '')) < (rcap.metadata.generation ?? 0)) {
          waiting.add(namespace);
          continue;
        }
        const answer = decide(rcap, byUid.get(rcap.metadata.uid ?? ''), { ledger: before, nodeName, weigh, now });
        if (!answer) continue;
        turns.set(namespace, left - 1);
        byUid.set(answer.entry.uid, answer.entry);
        decisions.push(answer.decision);
      }
    }
  }
  const entries = [...byUid.values()];
  const same = before === input.ledger && decisions.length === 0 && recovered === (before.recovered ?? false);
  if (same && entries.length === input.ledger.entries.length) return { ledger: input.ledger, decisions, waiting };
  return { ledger: { ...before, entries, ...(recovered && { recovered }) }, decisions, waiting };
}

/** Whether some rcap has a generation that was not answered yet; one that goes without having been granted gets no answer. */
export function hasQuestions(ledger: Ledger, rcaps: readonly ResourceCapability[]): boolean {
  const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  return rcaps.some(({ metadata: { uid = '', generation = 0, deletionTimestamp } }) => {
    const entry = entries.get(uid);
    return answeredUntil(entry) < generation && !(deletionTimestamp && !entry?.grant);
  });
}

/** A Node that was registered anew grants anew: its pods and addresses are others. */
function forNode(ledger: Ledger, uid: string | undefined, decisions: Decision[]): Ledger {
  if (uid === undefined || uid === ledger.nodeUID) return ledger;
  for (const entry of ledger.entries) {
    if (entry.grant) decisions.push({ event: 'released', ...named(entry), grant: entry.grant, reason: 'NodeChanged' });
  }
  const former = ledger.nodeUID ? [ledger.nodeUID, ...ledger.formerNodeUIDs] : ledger.formerNodeUIDs;
  const formerNodeUIDs = former.filter((one) => one !== uid).slice(0, FORMER_UIDS);
  return { ...ledger, nodeUID: uid, formerNodeUIDs, entries: [] };
}

function expire(entry: Entry, now: number, decisions: Decision[]): Entry {
  const end = entry.grant?.period.end;
  if (!entry.grant || end === undefined || end > now) return entry;
  const message = `the window ended at ${formatInstant(end)}`;
  const { grant } = entry;
  const refusal = { generation: grant.generation, reason: CapabilityReason.Expired, message, time: now };
  decisions.push({ event: 'expired', ...named(entry), grant, reason: refusal.reason, message });
  // A refused edit stays refused: its generation is the newer one.
  return { ...named(entry), refusal: entry.refusal ? { ...refusal, generation: entry.refusal.generation } : refusal };
}

/** It is taken back into the books before anything new is granted, and only if it fits. */
function adopt(ask: Ask | undefined, byUid: Map<string, Entry>, input: AdmissionInput, weigh: Weigh): Decision[] {
  if (!ask || byUid.has(ask.uid) || weigh(ask)) return [];
  const entry = { ...named(ask), grant: grantOf(ask, input.now) };
  byUid.set(entry.uid, entry);
  return [{ event: 'granted', ...named(entry), grant: entry.grant, reason: 'Recovered' }];
}

type Weigh = (ask: Ask) => Refused | undefined;

interface Context {
  ledger: Ledger;
  nodeName: string;
  weigh: Weigh;
  now: number;
}

/** The answer to one rcap; undefined where its generation was answered before. */
function decide(
  rcap: ResourceCapability,
  entry: Entry | undefined,
  context: Context,
): { entry: Entry; decision: Decision } | undefined {
  const { ledger, nodeName, weigh, now } = context;
  const generation = rcap.metadata.generation ?? 0;
  const ask = readAsk(rcap, nodeName);
  const movedAway = isRefused(ask) && ask.reason === CapabilityReason.WrongNode;
  // A label can change without a new generation; what names another node is given up whenever it is seen.
  const answered = answeredUntil(entry) >= generation;
  if (answered && !(movedAway && entry?.grant)) return undefined;
  if (!entry?.grant && rcap.metadata.deletionTimestamp) return undefined;

  const identity = { uid: rcap.metadata.uid ?? '', namespace: rcap.metadata.namespace ?? '', name: rcap.metadata.name };
  const refused = isRefused(ask)
    ? ask
    : (refuseMove(rcap, entry, ledger) ?? refuseRebinding(ask, entry?.grant) ?? weigh(ask));
  if (!refused) {
    const next: Entry = { ...identity, grant: grantOf(ask as Ask, now) };
    return {
      entry: next,
      decision: { event: entry?.grant ? 'renewed' : 'granted', ...identity, grant: next.grant! },
    };
  }
  const refusal = { generation, ...refused, time: now };
  if (entry?.grant && !movedAway) {
    const next: Entry = { ...identity, grant: entry.grant, refusal };
    return { entry: next, decision: { event: 'resizeDenied', ...identity, ...refused } };
  }
  return { entry: { ...identity, refusal }, decision: { event: 'denied', ...identity, ...refused } };
}

/**
 * A right that another node granted, and whose spec was edited since, has been moved here: that is refused, as both
 * might hold it. Unedited it is our own, from before the Node was registered anew.
 */
function refuseMove(rcap: ResourceCapability, entry: Entry | undefined, ledger: Ledger): Refused | undefined {
  const granted = rcap.status?.granted;
  if (!granted || entry || granted.nodeUID === ledger.nodeUID || ledger.formerNodeUIDs.includes(granted.nodeUID)) {
    return undefined;
  }
  if (granted.observedGeneration === rcap.metadata.generation) return undefined;
  const message = "another node granted it: a right can't move; delete it and ask here anew";
  return { reason: CapabilityReason.WrongNode, message };
}

function refuseRebinding(ask: Ask, grant: Grant | undefined): Refused | undefined {
  if (!grant?.sliceName || grant.sliceName === ask.sliceName) return undefined;
  const message = `it is bound to slice ${grant.sliceName} and stays so: release it and acquire another`;
  return { reason: CapabilityReason.InvalidSpec, message };
}

function answeredUntil(entry: Entry | undefined): number {
  return Math.max(entry?.grant?.generation ?? -1, entry?.refusal?.generation ?? -1);
}

function grantOf(ask: Ask, now: number): Grant {
  const { generation, amounts, period, contact, sliceName } = ask;
  return { generation, amounts, period, contact, sliceName, time: now };
}

function named({
  uid,
  namespace,
  name,
}: Pick<Entry, 'uid' | 'namespace' | 'name'>): Pick<Entry, 'uid' | 'namespace' | 'name'> {
  return { uid, namespace, name };
}

function byAge(a: ResourceCapability, b: ResourceCapability): number {
  const created = Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '');
  return created || (a.metadata.uid ?? '').localeCompare(b.metadata.uid ?? '');
}
