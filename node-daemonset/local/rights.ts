/** The rights that a sliver sees over its local API: its own, and those that are its slice's by their label. */
import { isLocalTo, OWN_RIGHT } from '../../crds/localrequest.ts';
import { localRcapName } from '../../crds/names.ts';
import { toRspec } from '../../crds/rspec.ts';
import type { ResourceCapability, Rspec, Window } from '../../crds/types.ts';
import { isRefused, readAsk } from '../admission/ask.ts';
import { booked, type Entry, type Grant, holdsAt, type Ledger, NO_BOOKS, plus } from '../admission/ledger.ts';
import { leftAt, partsOf } from '../admission/split.ts';
import { granted, windowOf } from '../report/capability.ts';
import type { Sliver } from '../sliver.ts';

/** A right as the API tells it: `Capability` in openapi.yaml. */
export interface LocalCapability {
  /** That of the ResourceCapability. */
  name: string;
  uid: string;
  /** Whether the sliver that asks runs with it. */
  own: boolean;
  /** Asked: the node has not answered yet. */
  state: 'Asked' | 'Granted' | 'Denied';
  reason: string;
  message: string;
  /** The slice that it is bound to. */
  slice?: string;
  /** What it is split from. */
  from?: string;
  /** As granted, else as asked. */
  resources: Rspec;
  /** What its own sliver may use of it now, where rights are split from it; null: nothing. */
  left?: Rspec | null;
  window?: Window;
  contact: string;
}

/** What is known of rights on this node. */
export interface Books {
  /** Every rcap with the node's label; undefined while the API server was not heard completely. */
  rcaps: readonly ResourceCapability[] | undefined;
  ledger: Ledger;
  now: number;
}

/** The sliver's own right first, then the others by name; undefined where its own is not known. */
export function rightsOf(
  sliver: Sliver,
  { rcaps = [] }: Books,
): [ResourceCapability, ...ResourceCapability[]] | undefined {
  const own = rcaps.find(({ metadata }) => metadata.uid === sliver.rcap.uid);
  if (!own) return undefined;
  const others = rcaps.filter((one) => one !== own && !one.metadata.deletionTimestamp && isLocalTo(one, own));
  return [own, ...others.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))];
}

/** Whom the sliver means: `self`, the name that it gave, or that of the rcap; undefined where there is none. */
export function findRight(
  [own, ...others]: readonly [ResourceCapability, ...ResourceCapability[]],
  name: string,
): ResourceCapability | undefined {
  if (name === OWN_RIGHT) return own;
  const given = localRcapName(own.spec.sliceName ?? '', own.spec.nodeName, name);
  const called = (wanted: string) => others.find(({ metadata }) => metadata.name === wanted);
  return called(given) ?? called(name) ?? (own.metadata.name === name ? own : undefined);
}

/** As the ledger has it, which knows before any status does. */
export function tell(right: ResourceCapability, sliver: Sliver, { ledger, now }: Books): LocalCapability {
  const { metadata, spec } = right;
  const { byUid, parts } = foundIn(ledger);
  const entry = byUid.get(metadata.uid ?? '');
  const grant = entry?.grant;
  const away = parts.get(metadata.uid ?? '') ?? [];
  const left = grant && away.length > 0 ? (leftAt(grant, away, now) ?? null) : undefined;
  const slice = grant?.sliceName ?? spec.sliceName;
  const from = grant?.from ?? spec.from;
  const window = grant ? windowOf(grant.period) : spec.window;
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    own: metadata.uid === sliver.rcap.uid,
    ...verdict(entry),
    ...(slice !== undefined && { slice }),
    ...(from !== undefined && { from }),
    resources: grant ? toRspec(grant.amounts) : (spec.resources ?? {}),
    ...(left !== undefined && { left: left && toRspec(left) }),
    ...(window && { window }),
    contact: spec.contact,
  };
}

/** Whether the node has answered what the rcap says now. */
export function isDecided({ metadata }: ResourceCapability, { ledger }: Books): boolean {
  const { grant, refusal } = foundIn(ledger).byUid.get(metadata.uid ?? '') ?? {};
  return Math.max(grant?.generation ?? -1, refusal?.generation ?? -1) >= (metadata.generation ?? 0);
}

/**
 * Whether a sliver can still run by its right when this part is split from it, at every instant at which it could without. Of what
 * does not fit in the right the node's own answer says what is short.
 */
export function leavesEnough(own: ResourceCapability, part: ResourceCapability, { ledger, now }: Books): boolean {
  const { byUid, parts } = foundIn(ledger);
  const grant = byUid.get(own.metadata.uid ?? '')?.grant;
  const ask = readAsk(part, own.spec.nodeName);
  if (!grant || isRefused(ask)) return true;
  const away = parts.get(own.metadata.uid ?? '') ?? [];
  const begins = away.map(({ period }) => period.start ?? now).filter((start) => start > now);
  const instants = [Math.max(ask.period.start ?? now, now), ...begins].filter((one) => holdsAt(ask.period, one));
  const isTooLittle = (of: readonly Taken[], one: number): boolean => leftAt(grant, of, one) === undefined;
  if (instants.some((one) => !isHeldBy(grant, [...away, ask], one))) return true;
  return instants.every((one) => !isTooLittle([...away, ask], one) || isTooLittle(away, one));
}

type Taken = Pick<Grant, 'amounts' | 'period'>;

function isHeldBy({ amounts }: Grant, parts: readonly Taken[], instant: number): boolean {
  const taken = parts.filter(({ period }) => holdsAt(period, instant));
  const left = plus(
    booked(amounts),
    taken.reduce((sum, part) => plus(sum, booked(part.amounts)), NO_BOOKS),
    -1,
  );
  return [left.shares, left.egress, left.memory, left.disk].every((one) => one >= 0);
}

/** What is found in a ledger, which is never changed in place: it is looked through once, however many ask. */
const known = new WeakMap<Ledger, { byUid: ReadonlyMap<string, Entry>; parts: ReturnType<typeof partsOf> }>();

function foundIn(ledger: Ledger) {
  const before = known.get(ledger);
  if (before) return before;
  const byUid = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  const found = { byUid, parts: partsOf(ledger.entries) };
  known.set(ledger, found);
  return found;
}

function verdict(entry: Entry | undefined): Pick<LocalCapability, 'state' | 'reason' | 'message'> {
  if (!entry?.grant && !entry?.refusal) {
    return { state: 'Asked', reason: 'Asked', message: 'the node has not answered yet' };
  }
  const { reason, message } = granted(entry);
  return { state: entry.grant ? 'Granted' : 'Denied', reason, message };
}
