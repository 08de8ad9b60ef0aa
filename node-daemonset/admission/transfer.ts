/**
 * Rights that pass to whoever shows their value. The operator alone reads Secrets, and writes a SHA-256 for each side; here
 * they meet. What is wrong with a value is never told: missing, of the wrong type, spent or false read the same.
 */
import { CapabilityReason, getCondition } from '../../crds/conditions.ts';
import { toRspec } from '../../crds/rspec.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { type Ask, isRefused, readAsk, type Refused } from './ask.ts';
import { refuseRebinding } from './decide.ts';
import type { Binding, Entry, Grant } from './ledger.ts';
import type { Offers } from './offers.ts';
import type { Decision } from './plan.ts';
import { heldOf, under, withParent } from './split.ts';

export interface Transfer {
  /** Both sides, and what is split from the right: it is split from the new holder's now. */
  entries: Entry[];
  decisions: Decision[];
}

interface Context {
  offers: Offers;
  entries: ReadonlyMap<string, Entry>;
  /** What rights were bound to that held nothing when the pass began, by uid. */
  bindings: ReadonlyMap<string, Binding>;
  nodeName: string;
  weigh(ask: Ask, holder: Entry): Refused | undefined;
  now: number;
}

/** No generation is newer: what passed to another is never asked for again by the same rcap. */
const FOR_GOOD = Number.MAX_SAFE_INTEGER;

/** Whether the rcap is to take a right over and has not done so. */
export function awaitsValue({ metadata, spec }: ResourceCapability, entry: Entry | undefined): boolean {
  // who held a right asks for that, and not by its value again
  if (spec.redeem === undefined || heldOf(entry)) return false;
  return (entry?.refusal?.generation ?? -1) < (metadata.generation ?? 0) && metadata.deletionTimestamp === undefined;
}

/** Whether the operator has looked into the Secret that the present spec names. */
export function isRead({ metadata, status }: ResourceCapability): boolean {
  return status?.redeemDigest !== undefined && status.redeemGeneration === metadata.generation;
}

/** The answer to an rcap that shows a value; undefined while its Secret was not read. */
export function planTransfer(rcap: ResourceCapability, context: Context): Transfer | undefined {
  const { offers, entries, bindings, nodeName, weigh, now } = context;
  const plain = readAsk(rcap, nodeName);
  if (isRefused(plain)) return denied(rcap, plain, now);
  if (!isRead(rcap)) return undefined;
  const holder = offers.holderOf(rcap.status?.redeemDigest ?? '', rcap.metadata.uid ?? '', entries);
  if (!holder?.grant) {
    const message = 'the Secret that spec.redeem names shows no right that this node granted to another';
    return denied(rcap, { reason: CapabilityReason.NotRedeemable, message }, now);
  }
  const { grant } = holder;
  const ask = readAsk(rcap, nodeName, grant) as Ask;
  const bound = bindings.get(ask.uid)?.sliceName;
  const refused = asksForOther(ask, grant) ?? refuseRebinding(ask, bound) ?? weigh(ask, holder);
  if (refused) return denied(rcap, refused, now);
  const { generation, contact, sliceName } = ask;
  const { amounts, period, parent, time } = grant;
  const next = { ...named(ask), grant: under(parent, { generation, amounts, period, contact, sliceName, time }) };
  const message = 'another showed its value and has the right now: delete this, or keep it as a record';
  const refusal = { generation: FOR_GOOD, reason: CapabilityReason.Transferred, message, time: now };
  const parts = [...entries.values()].filter((one) => heldOf(one)?.parent === holder.uid);
  return {
    entries: [{ ...named(holder), refusal }, next, ...parts.map((part) => withParent(part, next.uid))],
    decisions: [
      {
        event: 'transferred',
        ...named(holder),
        grant,
        reason: refusal.reason,
        message: `to ${ask.namespace}/${ask.name}`,
      },
      { event: 'granted', ...named(next), grant: next.grant, reason: 'Redeemed' },
    ],
  };
}

/** Whether the right passed to another for good. */
export function isTransferred({ grant, refusal }: Entry): boolean {
  return !grant && refusal?.generation === FOR_GOOD;
}

/** The same by the right's own status: all that is left when the ledger is lost. */
export function saysTransferred({ status }: ResourceCapability): boolean {
  return getCondition(status?.conditions, 'Granted')?.reason === CapabilityReason.Transferred;
}

/**
 * When the ledger is lost, what passed to another must not be granted again, and what was refused stays so until it is edited:
 * else a redemption that was refused long ago would take a right that runs.
 */
export function adoptRefusals(rcaps: readonly ResourceCapability[], byUid: Map<string, Entry>, now: number): void {
  for (const rcap of rcaps) {
    const { uid = '', namespace = '', name } = rcap.metadata;
    const { status } = rcap;
    const { status: verdict, reason = '', message = '' } = getCondition(status?.conditions, 'Granted') ?? {};
    const isPassed = saysTransferred(rcap);
    if (byUid.has(uid) || !(isPassed || (verdict === 'False' && !status?.granted))) continue;
    const generation = isPassed ? FOR_GOOD : (status?.observedGeneration ?? 0);
    byUid.set(uid, { uid, namespace, name, refusal: { generation, reason, message, time: now } });
  }
}

/** Never silently trimmed, and never more than the value is worth. */
function asksForOther({ amounts, period }: Ask, grant: Grant): Refused | undefined {
  const inWords = (of: Pick<Ask, 'amounts' | 'period'>): string => {
    const { start, end } = of.period;
    return JSON.stringify({ resources: toRspec(of.amounts), start, end });
  };
  if (inWords({ amounts, period }) === inWords(grant)) return undefined;
  const message =
    'the right that the value stands for is another: leave out resources and window, and renew it afterwards';
  return { reason: CapabilityReason.InvalidSpec, message };
}

function denied({ metadata }: ResourceCapability, refused: Refused, now: number): Transfer {
  const { uid = '', namespace = '', name, generation = 0 } = metadata;
  const who = { uid, namespace, name };
  return {
    entries: [{ ...who, refusal: { generation, ...refused, time: now } }],
    decisions: [{ event: 'denied', ...who, ...refused }],
  };
}

function named({ uid, namespace, name }: Pick<Entry, 'uid' | 'namespace' | 'name'>) {
  return { uid, namespace, name };
}
