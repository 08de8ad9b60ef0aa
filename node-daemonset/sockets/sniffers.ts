/**
 * Sniffers: packet sockets of ours whose packets' headers are relayed. Their descriptors are never passed: who holds one
 * can send whatever he likes.
 */
import { observeNodeAddresses } from '../addresses/node.ts';
import type { Line } from '../sliver.ts';
import { BOUNDS } from './bounds.ts';
import { SNAP, snifferFilter } from './filter.ts';
import * as libc from './libc.ts';
import { addressKey, isNodes, type Packet, readPacket } from './packets.ts';
import { packetBlock, streamHeader } from './pcapng.ts';
import { Refusal, type Transport } from './request.ts';

/** Where a relay's bytes go: a connection. */
export interface Sink {
  write(bytes: Buffer): void;
  /** Bytes that it holds because its reader is slow. */
  readonly writableLength: number;
}

/** A sniffer that was opened: nothing is relayed before it has a sink. */
export interface Stream {
  start(sink: Sink): void;
  close(): void;
}

interface Relay {
  fd: number;
  sink: Sink | undefined;
  /** Packets lost since the last that was relayed. */
  dropped: number;
}

const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_AUXDATA = 8;
/** The kernel holds so much for a sniffer between two looks of ours. */
const RECEIVE_BUFFER = 512 * 1024;
/** How often packets are fetched, and how many at most for each sniffer: what bounds the CPU that they take. */
const EVERY_MS = 10;
const BATCH = 64;
const BATCHES = 4;
/** How long an address that the node got may be missed. */
const ADDRESSES_MS = 2_000;

export class Sniffers {
  readonly #lines: () => readonly Line[];
  readonly #relays = new Set<Relay>();
  readonly #batch = new libc.Batch(BATCH, SNAP, 20, 96);
  #timer: NodeJS.Timeout | undefined;
  /** undefined before they were ever read. */
  #addresses: ReadonlySet<string> | undefined;
  #readAt = -Infinity;

  /** `lines`: as the owner names them now. */
  constructor(lines: () => readonly Line[]) {
    this.#lines = lines;
  }

  /** Relays all that the node sends from the port and receives for it. Throws Refusal EBUSY where too many are open. */
  open(protocol: Transport, port: number): Stream {
    if (this.#relays.size >= BOUNDS.sniffersInAll) {
      throw new Refusal('EBUSY', `all ${BOUNDS.sniffersInAll} sniffers of this node are in use: try again later`);
    }
    const relay: Relay = { fd: openPacketSocket(snifferFilter(protocol, port)), sink: undefined, dropped: 0 };
    this.#relays.add(relay);
    this.#timer ??= setInterval(() => this.#fetch(), EVERY_MS);
    return {
      start: (sink) => {
        sink.write(streamHeader(SNAP));
        relay.sink = sink;
      },
      close: () => this.#close(relay),
    };
  }

  #close(relay: Relay): void {
    if (!this.#relays.delete(relay)) return;
    libc.closeSocket(relay.fd);
    if (this.#relays.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #readAddresses(): Promise<void> {
    const { lines } = await observeNodeAddresses(this.#lines());
    this.#addresses = new Set(lines.map(addressKey));
  }

  #fetch(): void {
    if (performance.now() - this.#readAt > ADDRESSES_MS) {
      this.#readAt = performance.now();
      // where it fails, what was read before holds
      void this.#readAddresses().catch(() => undefined);
    }
    if (!this.#addresses) return;
    for (const relay of this.#relays) {
      if (!relay.sink) continue;
      for (let left = BATCHES; left > 0; left--) {
        const received = this.#batch.read(relay.fd);
        for (const one of received) relayPacket(relay, relay.sink, readPacket(one), this.#addresses);
        if (received.length < BATCH) break;
      }
      relay.dropped += lostByKernel(relay.fd);
    }
  }
}

/** Nothing is held for a reader beyond the bound: what does not fit is counted, and the count goes with the next. */
function relayPacket(relay: Relay, sink: Sink, packet: Packet, addresses: ReadonlySet<string>): void {
  if (!isNodes(packet, addresses)) return;
  if (sink.writableLength > BOUNDS.snifferBuffer) {
    relay.dropped++;
    return;
  }
  sink.write(packetBlock({ ...packet, dropped: relay.dropped }));
  relay.dropped = 0;
}

/** Protocol 0 at first: nothing arrives before the filter is on. */
function openPacketSocket(filter: Buffer): number {
  const fd = libc.openSocket(libc.AF_PACKET, libc.SOCK_DGRAM, 0);
  try {
    libc.lockFilter(fd, filter);
    libc.setOption(fd, libc.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
    libc.setOption(fd, libc.SOL_SOCKET, SO_TIMESTAMPNS, 1);
    libc.setOption(fd, SOL_PACKET, PACKET_AUXDATA, 1);
    libc.bindSocket(fd, libc.packetAddress(0));
    return fd;
  } catch (error) {
    libc.closeSocket(fd);
    throw error;
  }
}

/** Packets that found the socket's buffer full since this was asked last. */
function lostByKernel(fd: number): number {
  return libc.getOption(fd, SOL_PACKET, PACKET_STATISTICS, 8).readUInt32LE(4);
}
