/** Which Restraints a slice is under, and how its status tells of them. */
import type { AppliedRestraint, Restraint } from '../../crds/types.ts';
import { isDeleting } from '../kinds.ts';
import { cutShort } from '../../crds/text.ts';

/** As many as a status shows. */
const SHOWN = 8;
const MOST_WORDS = 200;

/** Those that suspend the slice first, then by name. */
export function restraintsOn(restraints: readonly Restraint[], namespace: string, slice: string): Restraint[] {
  return restraints
    .filter((one) => one.spec.namespace === namespace && (one.spec.slice === undefined || one.spec.slice === slice))
    .filter((one) => holds(one))
    .toSorted((a, b) => rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** One that is being deleted, or that says nothing, holds nobody. */
export function holds(restraint: Restraint): boolean {
  return !isDeleting(restraint) && (restraint.spec.suspended === true || restraint.spec.egressLimit !== undefined);
}

/** Any one is enough: whoever takes his away takes nobody else's. */
export function isSuspended(restraints: readonly Restraint[]): boolean {
  return restraints.some(({ spec }) => spec.suspended);
}

/** For the Slice's status: the author may not read Restraints themselves. */
export function shown(restraints: readonly Restraint[]): AppliedRestraint[] {
  return restraints.slice(0, SHOWN).map(({ metadata, spec: { suspended, egressLimit, reason, contact } }) => ({
    name: metadata.name,
    ...(suspended && { suspended }),
    ...(egressLimit !== undefined && { egressLimit: String(egressLimit) }),
    reason,
    ...(contact !== undefined && { contact }),
  }));
}

/** `Restraint a (contact): its reason` */
export function told({ metadata, spec: { reason, contact } }: Restraint): string {
  const why = cutShort(reason, MOST_WORDS);
  return `Restraint ${metadata.name}${contact === undefined ? '' : ` (${contact})`}: ${why}`;
}

function rank({ spec }: Restraint): number {
  return spec.suspended ? 0 : 1;
}
