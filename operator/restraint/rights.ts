/** What holders of rights suspend: the node says it of each right, by its ledger, so nobody else has to know who gave what to whom. */
import type { ResourceCapability, SliverSuspension } from '../../crds/types.ts';
import { isDeleting } from '../kinds.ts';
import { cutShort } from '../../crds/text.ts';

/** As many as a status shows. */
const SHOWN = 8;
const MOST_WORDS = 200;

/** Whether the holder of this right, or of one that it is part of, suspends what runs by it. */
export function isSuspendedByHolder({ status }: ResourceCapability): boolean {
  return (status?.suspendedBy ?? []).length > 0;
}

/** For the Slice's status, by name of the node: the author may not read the rights of whoever it is. */
export function shownSuspensions(capabilities: readonly ResourceCapability[]): SliverSuspension[] {
  return capabilities
    .filter((one) => !isDeleting(one) && isSuspendedByHolder(one))
    .toSorted((a, b) => (a.spec.nodeName < b.spec.nodeName ? -1 : 1))
    .flatMap(({ spec, status }) =>
      status!.suspendedBy!.map(({ right, reason, contact }) => {
        return { node: spec.nodeName, right, reason, ...(contact !== undefined && { contact }) };
      }),
    )
    .slice(0, SHOWN);
}

/** `the holder of right ours/whole (contact) on node1: its reason` */
export function toldSuspension({ node, right, reason, contact }: SliverSuspension): string {
  const why = cutShort(reason, MOST_WORDS);
  return `the holder of right ${right}${contact === undefined ? '' : ` (${contact})`} on ${node}: ${why}`;
}
