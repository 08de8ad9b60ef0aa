/** What a right may be split into: at every instant its parts fit in it, in amount and in kind. */
import { CapabilityReason } from '../../crds/conditions.ts';
import { formatRate } from '../../crds/quantity.ts';
import { portKey } from '../../crds/rspec.ts';
import { type Ask, formatInstant, type Refused } from './ask.ts';
import type { Bench } from './judge.ts';
import { booked, type Entry, type Grant, overlaps, type Period } from './ledger.ts';
import { ahead, KINDS, when } from './tight.ts';

type Right = Pick<Grant, 'amounts' | 'period'>;

/** Beside all else that is split from the same right. */
export function fitsInParent(ask: Ask, { register, aside, parent, now }: Bench): Refused | undefined {
  const whole = parent?.grant;
  if (!parent || !whole) return undefined;
  const name = `${parent.namespace}/${parent.name}`;
  const why = notWithin(ask, whole, now);
  if (why) return { reason: CapabilityReason.OutsideParent, message: `${name} ${why}` };
  const wanted = booked(ask.amounts);
  const parts = register.timelineOfParts(parent.uid);
  for (const [kind, reason, format] of KINDS) {
    if (kind === 'pods' || wanted[kind] === 0) continue;
    const has = booked(whole.amounts)[kind];
    const tight = parts.firstTight(ahead(ask.period, now), kind, wanted[kind], has);
    if (!tight) continue;
    const free = format(Math.max(0, has - tight.most));
    const message = `asks ${format(wanted[kind])}, ${free} of ${format(has)} of ${name} free${when(tight, now)}`;
    return { reason, message };
  }
  if (ask.amounts.ports.length === 0) return undefined;
  const siblings = register.partsOf(parent.uid).filter(({ uid }) => !aside.includes(uid));
  return portTaken(ask, siblings, now);
}

/** What asks to be another than it was must still hold all that was split from it. */
export function holdsItsParts(ask: Ask, { register, now }: Bench): Refused | undefined {
  const own = register.partsOf(ask.uid);
  if (own.length === 0) return undefined;
  const reason = CapabilityReason.GivenAway;
  for (const { namespace, name, grant } of own) {
    const why = notWithin(grant!, ask, now);
    if (why) return { reason, message: `${namespace}/${name} was split from it: as asked, it ${why}` };
  }
  const parts = register.timelineOfParts(ask.uid);
  for (const [kind, , format] of KINDS) {
    const has = booked(ask.amounts)[kind];
    const tight = kind === 'pods' ? undefined : parts.firstTight({ start: now, end: undefined }, kind, 0, has);
    if (!tight) continue;
    const message = `asks ${format(has)}, and ${format(tight.most)} of it are split off${when(tight, now)}`;
    return { reason, message };
  }
  return undefined;
}

function portTaken(ask: Ask, siblings: readonly Entry[], now: number): Refused | undefined {
  const wanted = new Set(ask.amounts.ports.map(portKey));
  for (const { namespace, name, grant } of siblings) {
    const port = grant!.amounts.ports.find((one) => wanted.has(portKey(one)));
    if (!port || !overlaps(grant!.period, ask.period)) continue;
    const message = `${portKey(port)} belongs to ${namespace}/${name}${when(grant!.period, now)}`;
    return { reason: CapabilityReason.PortInUse, message };
  }
  return undefined;
}

/** Why the one is not part of the other, whatever the amounts; what is past needs not fit. */
function notWithin(part: Right, whole: Right, now: number): string | undefined {
  const begins = Math.max(part.period.start ?? now, now);
  if ((whole.period.start ?? -Infinity) > begins || (whole.period.end ?? Infinity) < (part.period.end ?? Infinity)) {
    return `holds${inWords(whole.period)}: the window must lie within that`;
  }
  const [one, all] = [part.amounts, whole.amounts];
  const foreign = one.ports.find((port) => !all.ports.some((own) => portKey(own) === portKey(port)));
  if (foreign) return `does not have port ${portKey(foreign)}`;
  const privilege = one.privileges.find((own) => !all.privileges.includes(own));
  if (privilege) return `does not have the privilege ${privilege}`;
  if (one.network === 'Host' && all.network !== 'Host') return "does not have the node's network";
  if (one.excess === 'Share' && all.excess === 'None') return 'has cpu.excess None, and so must what is split from it';
  if (one.egressLimit > all.egressLimit)
    return `has an egress limit of ${formatRate(all.egressLimit)}, and the part one of ${formatRate(one.egressLimit)}`;
  if ((one.memory ?? 0) > 0 && all.memory === undefined) return 'has no memory reserved';
  if ((one.disk ?? 0) > 0 && all.disk === undefined) return 'has no disk reserved';
  // what is absent has no bound
  const unbound = (['memory', 'disk'] as const).find((kind) => all[kind] !== undefined && one[kind] === undefined);
  if (unbound) return `has a limit of ${unbound}: give no more, and give it`;
  for (const bound of ['processes', 'openFiles'] as const) {
    const most = all[bound];
    if (most !== undefined && (one[bound] ?? Infinity) > most) return `has ${bound} ${most}: give no more, and give it`;
  }
  return undefined;
}

function inWords({ start, end }: Period): string {
  const from = start === undefined ? '' : ` from ${formatInstant(start)}`;
  return `${from}${end === undefined ? ' without end' : ` until ${formatInstant(end)}`}`;
}
