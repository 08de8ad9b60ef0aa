/**
 * The node's answer to every rcap that names it. Pure and total: the same rcaps give the same ledger in whatever order
 * their events came. Never over-committed, never silently trimmed; a refusal is final for its generation.
 */
import { CapabilityReason } from '../../crds/conditions.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { adopt } from './adopt.ts';
import { forNode, grantAnew, recall } from './anew.ts';
import { Answers } from './answers.ts';
import { type Ask, formatInstant, type Refused } from './ask.ts';
import { beyondIn, evict } from './beyond.ts';
import { answeredUntil, decide, named } from './decide.ts';
import { type KnownHolder, newPorts } from './held.ts';
import { judge, judgeTransfer } from './judge.ts';
import type { Entry, Grant, Ledger } from './ledger.ts';
import { Offers } from './offers.ts';
import { inOrder, wholeOf } from './order.ts';
import { localRights } from './pending.ts';
import { type Allocatable, offered, type Policy } from './policy.ts';
import { Register } from './register.ts';
import { heldOf, relink } from './split.ts';
import { adoptRefusals, awaitsValue, isRead, planTransfer } from './transfer.ts';
import { boundBefore, keptBindings, passedUnseen } from './unseen.ts';

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
  /** How many answers there may be in all; without it, any number. */
  answers?: number;
  /** ms since the epoch */
  now: number;
}

/** One line of the grant log. */
export interface Decision {
  event: 'granted' | 'renewed' | 'denied' | 'resizeDenied' | 'expired' | 'released' | 'transferred' | 'evicted';
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
  /** Whether there were more questions than answers: the next pass goes on. */
  more: boolean;
}

/** Takes what is past off the books, then answers every new generation, oldest rcap first. */
export function planAdmission(input: AdmissionInput): Admission {
  const { rcaps, node, policy, nodeName, now } = input;
  const decisions: Decision[] = [];
  const before = forNode(input.ledger, node?.uid, decisions);
  let recovered = before.recovered ?? false;
  const turns = new Map<string, number>();
  const waiting = new Set<string>();
  let more = false;
  const byUid = new Register(
    before.entries.map((entry) => expire(entry, now, decisions)),
    policy?.reserved?.namespaces,
  );
  let seen: ReadonlyMap<string, ResourceCapability> | undefined;
  if (rcaps) {
    seen = new Map(rcaps.map((rcap) => [rcap.metadata.uid ?? '', rcap]));
    const passed = passedUnseen(byUid.values(), (uid) => seen!.has(uid));
    for (const entry of byUid.values()) {
      if (seen.has(entry.uid) || passed.has(entry.uid)) continue;
      byUid.delete(entry.uid);
      if (entry.grant) decisions.push({ event: 'released', ...named(entry), grant: entry.grant });
    }
  }
  relink(byUid, before.entries);
  if (policy?.evict && node && beyondIn(before, policy, node, now).length > 0) {
    decisions.push(...evict(byUid, policy, node, now));
  }
  let bindings = boundBefore(before.bindings ?? [], input.ledger.entries, byUid, now);
  if (seen && node && policy) {
    const books = offered(policy, node, input.otherRequests, input.lineRate);
    const all = [...seen.values()];
    const common = { policy, offered: books, register: byUid, localTo: localRights(all), now };
    const weigh = (ask: Ask, parent: Entry | undefined, held = input.held ?? []): Refused | undefined => {
      const aside = [ask.uid];
      const bench = { ...common, aside, parent, held };
      return byUid.aside(aside, () => judge(ask, bench));
    };
    const weighTransfer = (ask: Ask, holder: Entry): Refused | undefined => {
      const aside = [ask.uid, holder.uid];
      const parent = holder.grant?.parent === undefined ? undefined : byUid.get(holder.grant.parent);
      const bench = { ...common, aside, parent, held: [] };
      return byUid.aside(aside, () => byUid.asHeldIn(ask.namespace, holder.uid, () => judgeTransfer(ask, bench)));
    };
    if (!before.recovered) {
      decisions.push(...adopt({ rcaps: all, register: byUid, nodeName, node, policy, now }));
      adoptRefusals(all, byUid, now);
      recall(all, byUid, { nodeName, nodeUID: node.uid, now });
      const adopted = [...byUid.values()];
      if (policy.evict) decisions.push(...evict(byUid, policy, node, now));
      bindings = boundBefore([...bindings.values()], adopted, byUid, now);
    }
    recovered = true;
    const ordered = inOrder(all, byUid);
    decisions.push(...grantAnew(ordered, byUid, nodeName, (ask, parent) => weigh(ask, parent, [])));
    const offers = new Offers(ordered);
    const questions = ordered.filter((rcap) => isQuestion(rcap, byUid.get(rcap.metadata.uid ?? '')));
    const asking = new Set(questions.map(({ metadata }) => metadata.namespace ?? ''));
    const answers = new Answers(input.answers ?? Infinity, asking);
    const skipped = new Set<string>();
    for (const rcap of ordered) {
      const { namespace = '', name } = rcap.metadata;
      const entry = byUid.get(rcap.metadata.uid ?? '');
      // What is to be part of a right waits for the answer to that.
      const waitsForParent = !entry?.grant && skipped.has(wholeOf(rcap, byUid) ?? '');
      if (waitsForParent || (!input.held && newPorts(rcap, entry).length > 0)) {
        skipped.add(`${namespace}/${name}`);
        continue;
      }
      const left = turns.get(namespace) ?? input.turns?.(namespace) ?? Infinity;
      const asks = answeredUntil(entry) < (rcap.metadata.generation ?? 0);
      if (asks && left < 1) waiting.add(namespace);
      if (asks && (left < 1 || !answers.has(namespace))) {
        skipped.add(`${namespace}/${name}`);
        continue;
      }
      if (awaitsValue(rcap, entry)) {
        const moved = planTransfer(rcap, { offers, entries: byUid, bindings, nodeName, weigh: weighTransfer, now });
        if (!moved) {
          skipped.add(`${namespace}/${name}`);
          continue;
        }
        turns.set(namespace, left - 1);
        answers.give(namespace);
        for (const one of moved.entries) byUid.set(one.uid, one);
        decisions.push(...moved.decisions);
        continue;
      }
      const answer = decide(rcap, entry, { ledger: before, entries: byUid, bindings, nodeName, weigh, now });
      if (!answer) continue;
      turns.set(namespace, left - 1);
      answers.give(namespace);
      byUid.set(answer.entry.uid, answer.entry);
      if (entry && heldOf(entry) && !heldOf(answer.entry)) relink(byUid, [entry]);
      decisions.push(answer.decision);
    }
    more = answers.more;
  }
  const entries = [...byUid.values()];
  const same = before === input.ledger && decisions.length === 0 && recovered === (before.recovered ?? false);
  if (same && entries.length === input.ledger.entries.length) {
    return { ledger: input.ledger, decisions, waiting, more };
  }
  const lost = boundBefore([...bindings.values()], input.ledger.entries, byUid, now);
  // while the API server was not heard all may be seen
  const kept = keptBindings(lost.values(), byUid, (uid) => seen?.has(uid) ?? true);
  const { bindings: _, ...rest } = before;
  const ledger = { ...rest, entries, ...(kept.length > 0 && { bindings: kept }), ...(recovered && { recovered }) };
  return { ledger, decisions, waiting, more };
}

/** Whether some rcap has a generation that was not answered yet; one that goes without having been granted gets no answer. */
export function hasQuestions(ledger: Ledger, rcaps: readonly ResourceCapability[]): boolean {
  const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  return rcaps.some((rcap) => isQuestion(rcap, entries.get(rcap.metadata.uid ?? '')));
}

function isQuestion(rcap: ResourceCapability, entry: Entry | undefined): boolean {
  const { generation = 0, deletionTimestamp } = rcap.metadata;
  if (awaitsValue(rcap, entry) && !isRead(rcap)) return false;
  return answeredUntil(entry) < generation && !(deletionTimestamp && !entry?.grant);
}

function expire(entry: Entry, now: number, decisions: Decision[]): Entry {
  const held = heldOf(entry);
  const end = held?.period.end;
  if (!held || end === undefined || end > now) return entry;
  const message = `the window ended at ${formatInstant(end)}`;
  const refusal = { generation: held.generation, reason: CapabilityReason.Expired, message, time: now };
  decisions.push({ event: 'expired', ...named(entry), grant: held, reason: refusal.reason, message });
  // A refused edit stays refused: its generation is the newer one.
  return { ...named(entry), refusal: entry.refusal ? { ...refusal, generation: entry.refusal.generation } : refusal };
}
