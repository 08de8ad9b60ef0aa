/** What the programs in the kernel offer to the rest of the node manager. */

/** What one raw socket may send and see: a packet that is anything else is dropped, at both ends. */
export interface RawGrant {
  /** `Sliver.number` */
  sliver: number;
  /** As `Kernel.rawGeneration` gave it: a socket of an earlier generation neither sends nor receives. */
  generation: number;
  family: 4 | 6;
  /** TCP, UDP, ICMP or ICMPv6, by their numbers. */
  protocol: 1 | 6 | 17 | 58;
  /** The owned port; of ICMP, the owned echo identifier, or 0 where only errors are to be seen. */
  port: number;
  /** ICMP: sees errors about packets from this owned port, too. */
  errorsOf?: { protocol: 6 | 17; port: number };
}

/** Why a sliver's packets were dropped, or what it asked for refused. */
export const DROPS = [
  /** Its address is not known yet, or in no class yet. */
  'unready',
  /** The sliver has ended, or its pod lost its right: a tombstone. */
  'ended',
  /** Source address that is not its own. */
  'address',
  /** Source port or echo identifier that it does not own. */
  'port',
  /** An L4 protocol, or an ICMP type, that slivers do not send. */
  'protocol',
  /** A fragment made by hand, a routing header, or a header that does not parse. */
  'malformed',
  /** Loopback, link-local, groups or the node's own listeners, from a sliver on the node's network; no line. */
  'destination',
  /** A raw socket whose grant is no more, or that sends something else than was granted. */
  'grant',
  /** More ICMP echo requests a second than the owner allows. */
  'echoRate',
  /** More packets with IP options a second than the owner allows. */
  'optionRate',
  /** Received: an echo reply for another sliver's identifier, or something that a raw socket may not see. */
  'notForIt',
  /** A bind, connect, socket or option that was refused. */
  'refused',
] as const;
export type Drop = (typeof DROPS)[number];

export interface SliverCounters {
  /** Sent and let pass, before the queue: packets that it is cut into, and bytes at layer 3 as the socket gave them. */
  packets: number;
  bytes: number;
  /** Packets and calls, by reason; every reason is there. */
  drops: Record<Drop, number>;
}

/**
 * One flow of packets that left by an uplink. `sliver` 0 is everything that belongs to no sliver (`unattributed`): one row.
 * A row of protocol 255 and without addresses is the rest of a sliver that had more flows than it may: no byte is lost.
 */
export interface RawFlow {
  /** `Sliver.number` */
  sliver: number;
  family: 4 | 6;
  /** As `net` of Node prints them; '' in rows of protocol 255. */
  source: string;
  destination: string;
  protocol: number;
  /** ICMP: the echo identifier, 0 where there is none. 0 in fragments but the first. */
  sourcePort: number;
  /** ICMP: type * 256 + code. */
  destinationPort: number;
  /** OR of all seen. */
  tcpFlags: number;
  /** Nanoseconds of CLOCK_MONOTONIC, which is that of `process.hrtime.bigint()`. */
  first: bigint;
  last: bigint;
  /** As on the wire: a GSO packet counts as the frames that it becomes. */
  packets: number;
  /** As on the wire, with the link's header (14 bytes of an Ethernet frame), as HTB counts them. */
  bytes: number;
}

/** The programs, loaded and attached. Every call is synchronous, takes microseconds and throws KernelError when it fails. */
export interface Kernel {
  /** What a new raw socket of this sliver must carry; undefined: the sliver may have none (now). */
  rawGeneration(sliver: number): number | undefined;
  /**
   * Binds a socket of ours to its grant, BEFORE it is passed on: from then on every packet of it is judged against the
   * grant and the sliver's live entry, whoever holds the descriptor and whether this process lives or not.
   */
  markRaw(fd: number, grant: RawGrant): void;
  /** No ordinary socket of the node's network is bound to one of these, nor to any port that was said before and is not now. */
  holdRawPorts(ports: readonly { protocol: 6 | 17; port: number }[]): void;
  /** What left by the uplinks since the last call: swaps the two maps of flows and empties the idle one in batches. */
  drainFlows(): RawFlow[];
  /** By `Sliver.number`; since the sliver began. */
  counters(): Map<number, SliverCounters>;
}

/** What the kernel refused, in words that say what to do. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  /** A positive errno, or 0. */
  readonly errno: number;

  constructor(message: string, errno = 0) {
    super(message);
    this.errno = errno;
  }
}
