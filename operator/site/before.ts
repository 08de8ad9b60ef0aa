/**
 * What a right was asked for before its last edit. Until the node has granted that, the old grant holds, and which that is only the
 * node knows: its word is believed among what somebody asked for. The spec has the last of it; the rest is in an annotation, which
 * no node can write and which outlives the operator.
 */
import { ANNOTATION_ASKED_BEFORE } from '../../crds/names.ts';
import type { ResourceCapability, Rspec } from '../../crds/types.ts';
import { beyond, pieceOf, type Piece } from './profile.ts';

/** Edits that a node has not seen are remembered to this number; nobody makes more without a node that is away, or lies. */
const MOST = 8;

/** What the spec asks for now. */
export function askedOf({ spec }: Pick<ResourceCapability, 'spec'>): Piece {
  return pieceOf(sharesIn(spec.resources), spec.window);
}

export function sharesIn(resources: Rspec | undefined): number {
  return resources?.cpu?.shares ?? 1;
}

/** Oldest first; empty where the annotation is not there, or nothing that we wrote. */
export function askedBefore({ metadata }: ResourceCapability): Piece[] {
  let told: unknown;
  try {
    told = JSON.parse(metadata.annotations?.[ANNOTATION_ASKED_BEFORE] ?? '[]');
  } catch {
    return [];
  }
  if (!Array.isArray(told)) return [];
  return told.slice(0, MOST).flatMap((one: unknown) => {
    const { shares, start, end } = (one ?? {}) as Record<string, unknown>;
    const isInstant = (given: unknown): boolean =>
      given === undefined || (typeof given === 'string' && !Number.isNaN(Date.parse(given)));
    const isShares = Number.isInteger(shares) && (shares as number) >= 1 && (shares as number) <= 1000;
    if (!isShares || !isInstant(start) || !isInstant(end)) return [];
    return [pieceOf(shares as number, { start, end } as { start?: string; end?: string })];
  });
}

/** The annotation for a right that was asked for that, oldest first, and is to ask for `next`; undefined where that is no less. */
export function beforeText(before: readonly Piece[], next: Piece): string | undefined {
  const kept = before.filter((one, i) => {
    const others = [next, ...before.slice(0, i)];
    return beyond(others, one).length > 0;
  });
  if (kept.length === 0) return undefined;
  // the oldest is what a node holds that saw none of the edits
  const few = kept.length > MOST ? [kept[0]!, ...kept.slice(1 - MOST)] : kept;
  return JSON.stringify(
    few.map(({ shares, start, end }) => ({
      shares,
      ...(Number.isFinite(start) && { start: new Date(start).toISOString() }),
      ...(Number.isFinite(end) && { end: new Date(end).toISOString() }),
    })),
  );
}
