/** Flows as they come from the kernel, and who the numbers in them are. */
import type { Ledger } from '../admission/ledger.ts';
import type { RawFlow } from '../bpf/kernel.ts';
import type { Sliver } from '../sliver.ts';

/** Packets that no sliver sent, as far as the kernel can tell. */
export const UNATTRIBUTED = 0;
/** No protocol of IP: the row of what a sliver sent beyond the flows that are told apart. */
export const OVERFLOW_PROTOCOL = 255;

/** One flow with the time of day: `first` and `last` in ms since the epoch. */
export interface Flow extends Omit<RawFlow, 'family' | 'first' | 'last'> {
  first: number;
  last: number;
}

/** Who a number is. */
export interface Identity {
  namespace: string;
  slice: string;
  /** Name of the rcap. */
  capability: string;
  contact: string;
}

/** Of every sliver that the node knows at this instant; a contact is the one that was granted. */
export function identitiesOf(
  slivers: readonly Pick<Sliver, 'number' | 'rcap' | 'slice'>[],
  ledger: Ledger,
): Map<number, Identity> {
  const contacts = new Map(ledger.entries.map(({ uid, grant }) => [uid, grant?.contact]));
  return new Map(
    slivers.map(({ number, rcap, slice }) => [
      number,
      {
        namespace: rcap.namespace,
        slice: slice ?? '',
        capability: rcap.name,
        contact: contacts.get(rcap.uid) ?? '',
      },
    ]),
  );
}

/**
 * The time of day of flows that were drained now. What no sliver sent is one row without addresses: whom the node's own
 * processes talk to is nobody's business.
 *
 * @param kernelNow the kernel's clock, in ns
 * @param now ms since the epoch at the same instant
 */
export function datedFlows(raw: readonly RawFlow[], kernelNow: bigint, now: number): Flow[] {
  // never later than now: the two clocks are not read at one instant
  const at = (instant: bigint): number => Math.round(now - Math.max(0, Number(kernelNow - instant)) / 1e6);
  return raw.map((flow) => {
    const { sliver, source, destination, protocol, sourcePort, destinationPort, tcpFlags, packets, bytes } = flow;
    const told = sliver !== UNATTRIBUTED && protocol !== OVERFLOW_PROTOCOL;
    const headers = told ? { source, destination, protocol, sourcePort, destinationPort, tcpFlags } : UNTOLD;
    return { sliver, ...headers, first: at(flow.first), last: at(flow.last), packets, bytes };
  });
}

/** What a row without addresses has in their place. */
export const UNTOLD = {
  source: '',
  destination: '',
  protocol: OVERFLOW_PROTOCOL,
  sourcePort: 0,
  destinationPort: 0,
  tcpFlags: 0,
} as const;
