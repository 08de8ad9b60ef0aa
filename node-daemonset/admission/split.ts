/**
 * Rights that are parts of others. A part is taken from its parent at every instant at which it holds, so the node's books
 * have it once, in the parent; when a parent ends, its parts are parts of what it was part of itself.
 */
import { type Amounts, portKey } from '../../crds/rspec.ts';
import { LEAST_EGRESS } from '../sliver.ts';
import { booked, type Entry, type Grant, holdsAt, NO_BOOKS, plus } from './ledger.ts';

/** Everything in the ledger, by uid. */
export type Entries = ReadonlyMap<string, Entry>;

/** What is split from each right, by the right's uid. */
export function partsOf(entries: readonly Entry[]): ReadonlyMap<string, Grant[]> {
  const parts = new Map<string, Grant[]>();
  for (const { grant } of entries) {
    if (grant?.parent === undefined) continue;
    const known = parts.get(grant.parent);
    if (known) known.push(grant);
    else parts.set(grant.parent, [grant]);
  }
  return parts;
}

/** What a right's own sliver may use at an instant; undefined where what is split from it leaves too little for one. */
export function leftAt(
  { amounts }: Grant,
  parts: readonly Pick<Grant, 'amounts' | 'period'>[],
  instant: number,
): Amounts | undefined {
  const away = parts.filter(({ period }) => holdsAt(period, instant));
  if (away.length === 0) return amounts;
  const gone = away.reduce((sum, part) => plus(sum, booked(part.amounts)), NO_BOOKS);
  const { shares, egress, memory, disk } = plus(booked(amounts), gone, -1);
  const isSpent = (given: number | undefined, left: number): boolean => given !== undefined && given > 0 && left <= 0;
  const isTooLittle = shares < 1 || egress < LEAST_EGRESS;
  if (isTooLittle || isSpent(amounts.memory, memory) || isSpent(amounts.disk, disk)) return undefined;
  const ports = new Set(away.flatMap((part) => part.amounts.ports.map(portKey)));
  return {
    ...amounts,
    shares,
    egressGuarantee: Math.min(egress, amounts.egressGuarantee),
    memory: amounts.memory === undefined ? undefined : memory,
    disk: amounts.disk === undefined ? undefined : disk,
    ports: amounts.ports.filter((port) => !ports.has(portKey(port))),
  };
}

/** The right itself, what it is part of, what that is part of, and so on. */
export function lineageOf(entries: Entries, of: Entry): Entry[] {
  const line = [of];
  for (let next = above(entries, of); next && !line.includes(next); next = above(entries, next)) line.push(next);
  return line;
}

function above(entries: Entries, { grant }: Entry): Entry | undefined {
  return grant?.parent === undefined ? undefined : entries.get(grant.parent);
}

/** What a namespace holds, each part of its own rights only once; parts of other namespaces' rights are its own here. */
export function heldIn(others: readonly Entry[], entries: Entries, namespace: string): Grant[] {
  return heldBy(others, entries, (one) => one === namespace).filter(({ parent }) => parent === undefined);
}

/** What some namespaces hold together; a part of what they hold themselves is still a part, and takes no more than its pod. */
export function heldBy(others: readonly Entry[], entries: Entries, isOne: (namespace: string) => boolean): Grant[] {
  return others.flatMap((entry) => {
    const { grant } = entry;
    if (!grant || !isOne(entry.namespace)) return [];
    return grant.parent === undefined || isOwnPart(entries, entry, isOne) ? [grant] : [under(undefined, grant)];
  });
}

/** Whether some of these namespaces hold what it is part of. */
export function isOwnPart(entries: Entries, of: Entry, isOne: (namespace: string) => boolean): boolean {
  return of.grant?.parent !== undefined && lineageOf(entries, of).some((one) => one !== of && isOne(one.namespace));
}

/**
 * Parts of rights that are no more become parts of what those were part of; `before`: the entries when they were there. A right that
 * is to be asked for anew is there, and so is what was part of one.
 */
export function relink(byUid: Map<string, Entry>, before: readonly Entry[]): void {
  const old = new Map(before.map((entry) => [entry.uid, entry]));
  for (const entry of byUid.values()) {
    const held = heldOf(entry);
    if (held?.parent === undefined || heldOf(byUid.get(held.parent))) continue;
    let parent: string | undefined = held.parent;
    while (parent !== undefined && !heldOf(byUid.get(parent))) parent = heldOf(old.get(parent))?.parent;
    byUid.set(entry.uid, withParent(entry, parent));
  }
}

/** What a right holds, or held under the Node that was and is to be granted anew. */
export function heldOf(entry: Entry | undefined): Grant | undefined {
  return entry?.grant ?? entry?.former;
}

/** The same right as part of another, or of none. */
export function withParent(entry: Entry, parent: string | undefined): Entry {
  const { grant, former } = entry;
  return {
    ...entry,
    ...(grant && { grant: under(parent, grant) }),
    ...(former && { former: under(parent, former) }),
  };
}

/** The same grant as part of another right, or of none. */
export function under(parent: string | undefined, grant: Grant): Grant {
  const { parent: _, ...rest } = grant;
  return { ...rest, ...(parent !== undefined && { parent }) };
}
