/** A node's grant log, read again: what was held at each of its lines, and whether that was ever too much. */
import assert from 'node:assert/strict';
import { CapabilityReason } from '../../../crds/conditions.ts';
import { type Books, EMPTY_LEDGER, type Entry, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import type { Decision } from '../../../node-daemonset/admission/plan.ts';
import type { Holds } from '../../../node-daemonset/grantlog.ts';
import { relink } from '../../../node-daemonset/admission/split.ts';
import { checkBooks } from './books.ts';

/** One line of the log; one that says what the ledger holds is of no right. */
export interface Logged extends Omit<Decision, 'event'> {
  event: Decision['event'] | Holds['event'];
  grants?: Holds['grants'];
  /** ms since the epoch */
  time: number;
}

/** As they are in the file; what a crash cut in two was written again whole. */
export function readLog(text: string): Logged[] {
  return text.split('\n').flatMap((line): Logged[] => {
    try {
      const { time, ...decision } = JSON.parse(line) as Decision & { time: string };
      return [{ ...decision, time: Date.parse(time) }];
    } catch {
      return [];
    }
  });
}

export interface Replayed {
  ledger: Ledger;
  /** Refusals after `since`. */
  refused: Logged[];
  /** Grants after `since`. */
  granted: Logged[];
}

const REASONS: ReadonlySet<string> = new Set(Object.values(CapabilityReason));

/** Checks every instant from then on, after each line that was written since: in ms since the epoch. */
export function replay(log: readonly Logged[], offer: Books, since = -Infinity): Replayed {
  const byUid = new Map<string, Entry>();
  const refused: Logged[] = [];
  const granted: Logged[] = [];
  const known = new Map<string, Entry>();
  let passed: string | undefined;
  const ledger = (): Ledger => ({ ...EMPTY_LEDGER, entries: [...byUid.values()] });
  for (const [index, line] of log.entries()) {
    const { event, uid, namespace, name, grant, reason, message, time } = line;
    const before = [...byUid.values()];
    if (event === 'holds') {
      keep(byUid, known, line.grants!);
      relink(byUid, before);
    } else if (event === 'granted' || event === 'renewed') {
      byUid.set(uid, { uid, namespace, name, grant: grant! });
      known.set(`${uid} ${grant!.generation}`, byUid.get(uid)!);
      // what was split from a right that passed is split from its new holder's
      if (passed !== undefined) move(byUid, passed, uid);
      passed = undefined;
      if (time >= since) granted.push(line);
    } else if (event === 'denied' || event === 'resizeDenied') {
      if (time >= since) refused.push(line);
      assert.ok(REASONS.has(reason ?? '') && message, `a refusal without a reason: ${JSON.stringify(line)}`);
    } else {
      if (event === 'transferred') passed = uid;
      byUid.delete(uid);
      if (event !== 'transferred') relink(byUid, before);
    }
    // one pass has one time: in the middle of it the books are being written
    const isLast = log[index + 1]?.time !== time;
    if (isLast && time >= since) checkBooks(ledger(), offer, { shares: Infinity, ports: Infinity }, time);
  }
  return { ledger: ledger(), refused, granted };
}

/** Takes off what never came into the ledger; what it had before that it has still. */
function keep(byUid: Map<string, Entry>, known: ReadonlyMap<string, Entry>, grants: Readonly<Record<string, number>>) {
  for (const uid of byUid.keys()) if (grants[uid] === undefined) byUid.delete(uid);
  for (const [uid, generation] of Object.entries(grants)) {
    const entry = known.get(`${uid} ${generation}`);
    if (entry && byUid.get(uid)?.grant?.generation !== generation) byUid.set(uid, entry);
  }
}

function move(byUid: Map<string, Entry>, from: string, to: string): void {
  for (const [uid, entry] of byUid) {
    if (entry.grant?.parent === from) byUid.set(uid, { ...entry, grant: { ...entry.grant, parent: to } });
  }
}
