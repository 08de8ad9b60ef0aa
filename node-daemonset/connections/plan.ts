/** Pure: whose ports and identifiers connections may begin from on the node's own network, and what is to be written for it. */
import { isSliverClass } from '../egress/names.ts';
import type { Sliver } from '../sliver.ts';
import {
  elementsText,
  type ObservedTable,
  type Owners,
  removeTable,
  replaceElements,
  replaceTable,
  type RuleFacts,
  rulesText,
} from './nft.ts';

/** One nft transaction; empty where all is as it should be, or where no sliver has a socket on the node's network. */
export function planConnections(observed: ObservedTable, facts: RuleFacts, slivers: readonly Sliver[]): string[] {
  if (!slivers.some(isOnNode)) return observed.exists ? removeTable() : [];
  const owners = ownersOf(slivers);
  if (observed.rules !== rulesText(facts)) return replaceTable(facts, owners);
  return observed.elements === elementsText(owners) ? [] : replaceElements(owners);
}

/** By its own sockets, or by raw ones. */
export function isOnNode({ network, amounts }: Sliver): boolean {
  return network === 'Host' || amounts.privileges.includes('RawSockets');
}

/** Of two slivers with one port the first one counts. */
function ownersOf(slivers: readonly Sliver[]): Owners {
  const served = new Set<number>();
  const raw = { TCP: new Map<number, number>(), UDP: new Map<number, number>(), ICMP: new Map<number, number>() };
  for (const { standing, amounts, network, classId } of slivers) {
    if (standing !== 'entitled') continue;
    const isRaw = amounts.privileges.includes('RawSockets') && isSliverClass(classId);
    for (const { protocol, port } of amounts.ports) {
      if (network === 'Host' && protocol === 'UDP') served.add(port);
      if (isRaw && !raw[protocol].has(port)) raw[protocol].set(port, classId);
    }
  }
  return { served, tcp: raw.TCP, udp: raw.UDP, icmp: raw.ICMP };
}
