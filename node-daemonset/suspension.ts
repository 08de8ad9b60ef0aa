/**
 * Rights whose holders suspend what runs by them, and by whatever was split from them: a broker keeps the whole, and has a say
 * over those whom it gave parts. By uids and the ledger's line of descent, as names prove nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AppliedSuspension, ResourceCapability } from '../crds/types.ts';
import type { Entry, Ledger } from './admission/ledger.ts';
import type { NodeState } from './checkpoint.ts';
import { cut } from '../crds/text.ts';

/** What the holder of a right said last. */
export interface SuspendedRight {
  /** Of the rcap. */
  uid: string;
  reason: string;
  contact?: string;
}

/** As many as a status shows; more hold no harder. */
const SHOWN = 8;
/** A server has checked it; what is kept is bounded all the same. */
const MOST_WORDS = { reason: 512, contact: 254 };

/**
 * Words alone are taken up once in so long, those of all rights together: they are in the status of every right below, so that one
 * edit may be a thousand writes.
 */
export const WORDS_MS = 5_000;

interface Store {
  get(): Pick<NodeState, 'ledger' | 'suspended' | 'wordsAt'>;
  accept(change: Partial<NodeState>): void;
}

/**
 * Takes up what rcaps say; `rcaps` is undefined while the API server was not heard completely: then what was said before holds.
 * What admission makes of an edit is no matter: nobody is granted anything. Who suspends, and who does no more, counts at once.
 * Returns when words that must wait are due, in ms since the epoch as `now` is; undefined where none wait.
 */
export function hearSuspended(
  store: Store,
  rcaps: readonly ResourceCapability[] | undefined,
  now: number,
): number | undefined {
  if (!rcaps) return undefined;
  const { ledger, suspended, wordsAt } = store.get();
  const said = suspendedRights(rcaps, ledger);
  if (isDeepStrictEqual(said, suspended)) return undefined;
  const before = new Map(suspended.map((one) => [one.uid, one]));
  const anew = said.some((one) => before.has(one.uid) && !isDeepStrictEqual(one, before.get(one.uid)));
  const due = wordsAt + WORDS_MS;
  // A clock that was set back lets nobody wait.
  if (!anew || now < wordsAt || now >= due) {
    store.accept({ suspended: said, ...(anew && { wordsAt: now }) });
    return undefined;
  }
  const held = said.map((one) => before.get(one.uid) ?? one);
  if (!isDeepStrictEqual(held, suspended)) store.accept({ suspended: held });
  return due;
}

function suspendedRights(rcaps: readonly ResourceCapability[], ledger: Ledger): SuspendedRight[] {
  const saying = rcaps.filter(({ spec }) => spec.suspended);
  if (saying.length === 0) return [];
  const granted = new Set(ledger.entries.flatMap(({ uid, grant }) => (grant ? [uid] : [])));
  // in one order, however they came: what is the same is not written again
  saying.sort((a, b) => ((a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1));
  return saying.flatMap(({ metadata: { uid = '' }, spec: { suspended } }): SuspendedRight[] => {
    // what was not granted, or passed to another, gives no say
    if (!granted.has(uid)) return [];
    const contact = bounded(suspended?.contact, MOST_WORDS.contact);
    const reason = bounded(suspended?.reason, MOST_WORDS.reason) ?? 'no reason is given';
    return [{ uid, reason, ...(contact !== undefined && { contact }) }];
  });
}

/** Whatever a server let pass must not end a pass. */
function bounded(text: unknown, most: number): string | undefined {
  return typeof text === 'string' ? cut(text, most) : undefined;
}

/** Who suspends what runs by each right, by the right's uid: outermost first. Rights that nobody suspends are not in it. */
export function suspensionsIn(
  { entries }: Ledger,
  suspended: readonly SuspendedRight[],
): ReadonlyMap<string, readonly AppliedSuspension[]> {
  if (suspended.length === 0) return new Map();
  const said = new Map(suspended.map((one) => [one.uid, one]));
  const byUid = new Map(entries.map((entry) => [entry.uid, entry]));
  const found = new Map<string, readonly AppliedSuspension[]>();
  for (const entry of entries) {
    const line: Entry[] = [];
    // up to what is known already, or to the node itself; each right is looked at once
    for (let next: Entry | undefined = entry; next && !found.has(next.uid);) {
      line.push(next);
      found.set(next.uid, []);
      next = next.grant?.parent === undefined ? undefined : byUid.get(next.grant.parent);
    }
    for (const one of line.reverse()) {
      const above: readonly AppliedSuspension[] = found.get(one.grant?.parent ?? '') ?? [];
      const own = one.grant && said.get(one.uid);
      found.set(one.uid, own ? [...above, applied(one, own)].slice(0, SHOWN) : above);
    }
  }
  for (const [uid, list] of found) if (list.length === 0) found.delete(uid);
  return found;
}

/** `the holder of right ours/whole (contact): its reason` */
export function inWords({ right, reason, contact }: AppliedSuspension): string {
  return `the holder of right ${right}${contact === undefined ? '' : ` (${contact})`}: ${reason}`;
}

function applied({ namespace, name }: Entry, { reason, contact }: SuspendedRight): AppliedSuspension {
  return { right: `${namespace}/${name}`, reason, ...(contact !== undefined && { contact }) };
}
