/** The admission of one pass: decided with what is known of the node, and on the disk before anybody is told. */
import type { ResourceCapability } from '../crds/types.ts';
import { MOST_ANSWERS } from './admission/answers.ts';
import { askedPorts, type KnownHolder } from './admission/held.ts';
import { type Decision, planAdmission } from './admission/plan.ts';
import { attempt, type Gathered } from './gather.ts';
import type { PassParts } from './pass.ts';
import type { Problem } from './sliver.ts';

/**
 * Log, then ledger, then status: what a status says is on the disk. On a full disk nothing new is granted; what ends, ends all
 * the same, and so it does whatever some object may do to admission.
 */
export async function admit(
  parts: PassParts,
  { node, reading, otherRequests, lineRate }: Gathered,
  problems: Problem[],
): Promise<{ waiting: boolean; more: boolean }> {
  const { store, grantLog, metrics, log, nodeName, now, turns } = parts;
  // One look at them: what comes while ports are looked for is answered in the next pass.
  const rcaps = parts.rcaps();
  const held = await heldPorts(parts, rcaps ?? [], problems);
  const { ledger } = store.get();
  // A guess about other pods must not become a refusal, which is final.
  const policy = problems.some(({ reason }) => reason === 'RequestsUnknown') ? undefined : reading.policy;
  const input = {
    ledger,
    rcaps,
    nodeName,
    node,
    otherRequests,
    lineRate,
    held,
    turns: turns.left.bind(turns),
    answers: MOST_ANSWERS,
    now: now(),
  };
  const tell = (decisions: readonly Decision[]): void => {
    for (const decision of decisions) {
      metrics.decided(decision.event, decision.reason);
      if (ANSWERS.has(decision.event)) turns.spend(decision.namespace);
      log.info(fieldsOf(decision), 'right decided');
      if (decision.event === 'evicted') parts.announce(decision);
    }
  };
  const decided = attempt(problems, 'AdmissionFailed', () => planAdmission({ ...input, policy }));
  const saved = attempt(problems, 'StateNotSaved', () => {
    if (!decided) return false;
    grantLog.append(decided.decisions, now(), ledger);
    store.set({ ledger: decided.ledger });
    tell(decided.decisions);
    return true;
  });
  const waiting = (decided?.waiting.size ?? 0) > 0;
  if (saved) return { waiting, more: decided?.more ?? false };
  attempt(problems, 'AdmissionFailed', () => {
    const ended = planAdmission({ ...input, policy: undefined });
    grantLog.owe(ended.decisions, now());
    store.accept({ ledger: ended.ledger });
    tell(ended.decisions);
  });
  // nothing was answered: that is tried again as what failed is
  return { waiting, more: false };
}

/** Decisions that somebody caused by asking. */
const ANSWERS: ReadonlySet<Decision['event']> = new Set(['granted', 'renewed', 'denied', 'resizeDenied']);

function fieldsOf({ event, namespace, name, uid, reason, message }: Decision): object {
  return { event, rcap: `${namespace}/${name}`, uid, reason, detail: message };
}

/** Which of the ports that are asked for somebody has; undefined where that can't be known now. */
async function heldPorts(
  { store, heldPorts: look }: PassParts,
  rcaps: readonly ResourceCapability[],
  problems: Problem[],
): Promise<KnownHolder[] | undefined> {
  const { ledger, pods } = store.get();
  try {
    const asked = askedPorts(ledger, rcaps);
    if (asked.length === 0) return [];
    const rights = new Map(pods.map((pod) => [pod.uid, pod.rcap.uid]));
    const held = await look(asked);
    return held.map((one) => ({ ...one, rcap: one.pod === undefined ? undefined : rights.get(one.pod) }));
  } catch (error) {
    problems.push({ reason: 'PortsUnknown', message: (error as Error).message });
    return undefined;
  }
}
