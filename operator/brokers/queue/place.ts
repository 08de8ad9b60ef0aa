/**
 * A slice's place in the queue, read from the rights that the broker holds for it. On each node these are at most three: the
 * whole, which is the broker's own from the reservation to the end of the window; the part, split from it when the window
 * opens to be handed over; and what the slice's namespace was given, which takes the part over by its value.
 */
import { ANNOTATION_QUEUED_IN, LABEL_QUEUED, LABEL_SLICE } from '../../../crds/names.ts';
import type { ResourceCapability, Slice } from '../../../crds/types.ts';
import { isDeleting } from '../../kinds.ts';
import { grantOf, isJudged, standing } from '../../slice/plan/grant.ts';
import type { NodeState } from '../../slice/plan/input.ts';
import { givenName } from './rights.ts';

/** Up to but without `end`; ms since the epoch. */
export interface Span {
  start: number;
  end: number;
}

export interface Held {
  node: string;
  whole?: ResourceCapability;
  part?: ResourceCapability;
  given?: ResourceCapability;
}

export interface Place {
  /** The Slice's uid. */
  uid: string;
  /** undefined: it is gone, or names another broker. */
  slice: Slice | undefined;
  /** By name of the node. */
  held: Held[];
}

/** One for each Slice of the queue, and for each that left rights behind. `namespace` is the broker's own. */
export function placesOf(
  namespace: string,
  slices: readonly Slice[],
  rights: readonly ResourceCapability[],
): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const slice of slices) {
    const uid = slice.metadata.uid ?? '';
    if (slice.spec.broker === namespace && uid !== '') places.set(uid, { uid, slice, held: [] });
  }
  // our own first: they tell where those of a slice that is gone were given
  for (const right of rights.toSorted((a, b) => Number(kindOf(a) === 'given') - Number(kindOf(b) === 'given'))) {
    const uid = right.metadata.labels?.[LABEL_QUEUED];
    const kind = kindOf(right);
    if (!uid || (kind !== 'given' && right.metadata.namespace !== namespace)) continue;
    if (kind === 'given' && !isGiven(right, uid, places.get(uid))) continue;
    const place = places.get(uid) ?? { uid, slice: undefined, held: [] };
    places.set(uid, place);
    const before = place.held.find(({ node }) => node === right.spec.nodeName);
    const held = before ?? { node: right.spec.nodeName };
    if (!before) place.held.push(held);
    held[kind] ??= right;
  }
  for (const place of places.values()) place.held.sort((a, b) => (a.node < b.node ? -1 : 1));
  return places;
}

/**
 * What is not in our namespace anybody can have labelled so: it is looked at in the slice's alone, and only where it has the name
 * that we give it. Whose it is, the slice tells, or what we made for it.
 */
function isGiven({ metadata, spec }: ResourceCapability, uid: string, place: Place | undefined): boolean {
  const own = place?.held.flatMap(({ whole, part }) => whole ?? part ?? [])[0]?.metadata;
  const namespace = place?.slice ? place.slice.metadata.namespace : own?.annotations?.[ANNOTATION_QUEUED_IN];
  const name = place?.slice?.metadata.name ?? own?.labels?.[LABEL_SLICE];
  if (namespace === undefined || name === undefined || metadata.namespace !== namespace) return false;
  return metadata.name === givenName({ metadata: { name, uid } }, spec.nodeName);
}

function kindOf({ spec }: ResourceCapability): 'whole' | 'part' | 'given' {
  return spec.redeem !== undefined ? 'given' : spec.from !== undefined ? 'part' : 'whole';
}

/** Every window that the place has on its nodes, asked for or granted: nobody else may have any of it. */
export function spansOf({ held }: Place): Span[] {
  return held.flatMap(({ whole }) => (whole ? [askedSpan(whole), grantedSpan(whole)] : [])).filter((one) => !!one);
}

export function askedSpan({ spec }: ResourceCapability): Span | undefined {
  return spanOf(spec.window);
}

export function grantedSpan(right: ResourceCapability): Span | undefined {
  return spanOf(grantOf(right)?.window);
}

function spanOf(window: { start?: string; end?: string } | undefined): Span | undefined {
  if (!window?.start || !window.end) return undefined;
  return { start: Date.parse(window.start), end: Date.parse(window.end) };
}

/** The window that all its nodes have granted as it was asked for; undefined while one of them has not. */
export function settledSpan(place: Place, nodes: ReadonlyMap<string, NodeState>): Span | undefined {
  const wholes = place.held.flatMap(({ whole }) => whole ?? []);
  const [first] = wholes;
  if (!first) return undefined;
  const span = askedSpan(first);
  const settled = place.held.every(({ whole, part, given }) => {
    if (!whole) return true;
    const [asked, granted] = [askedSpan(whole), grantedSpan(whole)];
    if (isDeleting(whole) || standing(whole, nodes.get(whole.spec.nodeName)) !== 'granted') return false;
    // once it is handed over only a person edits it, to suspend the slice say: that takes nothing away
    const isKept = isJudged(whole) || part !== undefined || given !== undefined;
    return isKept && isSame(asked, granted) && isSame(asked, span);
  });
  return settled ? span : undefined;
}

export function isSame(a: Span | undefined, b: Span | undefined): boolean {
  return a?.start === b?.start && a?.end === b?.end;
}

/**
 * What has the name of the rcap by which the slice takes a window over, and is of none that it has: of an earlier one, and kept by
 * a finalizer or its pod, or made by hand. What was handed over its node counts as split off.
 */
export function blockerOf({ held }: Place): ResourceCapability | undefined {
  return held.find(({ whole, part, given }) => given && !part && !(whole && isSplit(whole)))?.given;
}

/** Whether anything was split from the right and not given back yet, by its node's own word. */
export function isSplit(right: ResourceCapability): boolean {
  const granted = right.status?.granted;
  return granted?.left !== undefined || granted?.givenAway === true;
}
