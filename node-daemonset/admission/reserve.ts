/** The part of a node that its owner keeps for some namespaces, such as experiments: to all others it is not there. */
import type { Ask, Refused } from './ask.ts';
import type { Bench } from './judge.ts';
import { type Books, taken } from './ledger.ts';
import type { Reserve } from './policy.ts';
import { lineageOf } from './split.ts';
import { ahead, KINDS, when } from './tight.ts';

/** What is left of an offer for namespaces for which nothing is reserved. */
export function offeredToOthers(books: Books, { percent }: Reserve): Books {
  const part = (amount: number): number => Math.floor((amount * (100 - percent)) / 100);
  const { shares, egress, memory, disk, pods } = books;
  return { shares: part(shares), egress: part(egress), memory: part(memory), disk: part(disk), pods: part(pods) };
}

/** What is reserved for some namespaces is no other's, whoever lets it lie idle. */
export function reserveIsKept(ask: Ask, { policy, offered, register, parent, now }: Bench): Refused | undefined {
  const { reserved } = policy;
  if (!reserved || reserved.namespaces.has(ask.namespace)) return undefined;
  const isOther = (namespace: string): boolean => !reserved.namespaces.has(namespace);
  const isPart = parent !== undefined && lineageOf(register, parent).some((one) => isOther(one.namespace));
  const wanted = taken({ amounts: ask.amounts, ...(isPart && { parent: parent.uid }) });
  const limits = offeredToOthers(offered, reserved);
  const period = ahead(ask.period, now);
  const { others } = register;
  const peak = others.peak(period);
  for (const [kind, reason, format] of KINDS) {
    if (wanted[kind] === 0 || peak[kind] + wanted[kind] <= limits[kind]) continue;
    const tight = others.firstTight(period, kind, wanted[kind], limits[kind]);
    if (!tight) continue;
    const free = format(Math.max(0, limits[kind] - tight.most));
    const kept = `${reserved.percent} % of ${format(offered[kind])} is reserved for others`;
    const message = `asks ${format(wanted[kind])}, ${free} of ${format(limits[kind])} free${when(tight, now)}: ${kept}`;
    return { reason, message };
  }
  return undefined;
}
