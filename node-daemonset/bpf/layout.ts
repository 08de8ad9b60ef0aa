/**
 * The structs of the .bpf.c files, byte by byte. Raise a map's layout whenever its key or value changes its size or meaning:
 * programs of two versions run side by side during an upgrade, each on maps of its own layout.
 */
import { addressBytes, addressText } from './address.ts';
import { DROPS, type RawGrant, type SliverCounters } from './kernel.ts';

export const SLIVER_READY = 1;
export const SLIVER_HOST = 2;
export const SLIVER_RAW = 4;
export const SLIVER_ENDED = 16;

export const ADDRESS_OWN = 1;
export const ADDRESS_BROADCAST = 2;

/** SO_MARK of sockets that slivers made on the node's network, and of raw sockets that are opened for slivers. */
export const SLIVER_MARK = 44;
export const RAW_MARK = 42;

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;

/** `struct settings`. */
export interface Settings {
  /** Cgroup v2 ids; `manager` 0: in no pod. */
  kubepods: bigint;
  manager: bigint;
  /** Cookie of the node's network namespace. */
  netns: bigint;
  /** What the kernel chooses ports from, both ends included. */
  firstPort: number;
  lastPort: number;
  /** That each sliver on the node's network may have open at once. */
  sockets: number;
}

/** `struct sliver`. */
export interface SliverEntry {
  /** SLIVER_... */
  flags: number;
  /** The whole HTB class id, major and minor. */
  priority: number;
  /** Of its right to raw sockets: they end when it changes. */
  generation: number;
  /** Packets a second. */
  echoRate: number;
  optionRate: number;
}

/** `struct port`; of ICMP, the echo identifier. */
export interface PortKey {
  protocol: number;
  port: number;
}

/** `struct prefix`: whose first so many of 128 bits, and of which family the packets are. */
export interface PrefixKey {
  family: 4 | 6;
  address: string;
  bits: number;
}

export interface Codec<T> {
  readonly size: number;
  encode(value: T): Buffer;
  decode(bytes: Buffer): T;
}

export interface MapLayout<K, V> {
  readonly name: string;
  readonly layout: number;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
}

/** Little-endian: the machines that are supported all are. */
const u32: Codec<number> = {
  size: 4,
  encode(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  },
  decode: (bytes) => bytes.readUInt32LE(),
};

const u64: Codec<bigint> = {
  size: 8,
  encode(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  },
  decode: (bytes) => bytes.readBigUInt64LE(),
};

const sliverEntry: Codec<SliverEntry> = {
  size: 20,
  encode({ flags, priority, generation, echoRate, optionRate }) {
    const bytes = Buffer.alloc(20);
    bytes.writeUInt32LE(flags, 0);
    bytes.writeUInt32LE(priority, 4);
    bytes.writeUInt32LE(generation, 8);
    bytes.writeUInt32LE(echoRate, 12);
    bytes.writeUInt32LE(optionRate, 16);
    return bytes;
  },
  decode: (bytes) => ({
    flags: bytes.readUInt32LE(0),
    priority: bytes.readUInt32LE(4),
    generation: bytes.readUInt32LE(8),
    echoRate: bytes.readUInt32LE(12),
    optionRate: bytes.readUInt32LE(16),
  }),
};

const settings: Codec<Settings> = {
  size: 32,
  encode({ kubepods, netns, manager, firstPort, lastPort, sockets }) {
    const bytes = Buffer.concat([...[kubepods, netns, manager].map(u64.encode), Buffer.alloc(8)]);
    bytes.writeUInt16LE(firstPort, 24);
    bytes.writeUInt16LE(lastPort, 26);
    bytes.writeUInt32LE(sockets, 28);
    return bytes;
  },
  decode: (bytes) => ({
    kubepods: bytes.readBigUInt64LE(0),
    netns: bytes.readBigUInt64LE(8),
    manager: bytes.readBigUInt64LE(16),
    firstPort: bytes.readUInt16LE(24),
    lastPort: bytes.readUInt16LE(26),
    sockets: bytes.readUInt32LE(28),
  }),
};

const portKey: Codec<PortKey> = {
  size: 4,
  encode: ({ port, protocol }) => Buffer.from([port & 255, port >> 8, protocol, 0]),
  decode: (bytes) => ({ port: bytes.readUInt16LE(), protocol: bytes[2]! }),
};

/** `sliver` 0 is the node. */
const addressKey: Codec<{ sliver: number; address: string }> = {
  size: 20,
  encode: ({ sliver, address }) => Buffer.concat([u32.encode(sliver), addressBytes(address)]),
  decode: (bytes) => ({ sliver: bytes.readUInt32LE(), address: addressText(bytes.subarray(4, 20)) }),
};

/** The first `bits` of 128 are compared; IPv4's have 96 more than they show. */
const prefixKey: Codec<PrefixKey> = {
  size: 24,
  encode: ({ family, address, bits }) =>
    Buffer.concat([u32.encode(32 + bits), u32.encode(family), addressBytes(address)]),
  decode: (bytes) => ({
    family: bytes.readUInt32LE(4) as 4 | 6,
    address: addressText(bytes.subarray(8, 24)),
    bits: bytes.readUInt32LE() - 32,
  }),
};

/** Written by the programs alone: a new row is all zeros. */
const zeros = (size: number): Codec<null> => ({ size, encode: () => Buffer.alloc(size), decode: () => null });

/** One for each of so many processors: written by the programs alone, and read as their sum. */
export function countersOf(processors: number): Codec<SliverCounters> {
  const size = 16 + 8 * DROPS.length;
  return {
    size: size * processors,
    encode: () => Buffer.alloc(size * processors),
    decode(bytes) {
      const sum = (index: number): number => {
        let all = 0n;
        for (let at = 8 * index; at < size * processors; at += size) all += bytes.readBigUInt64LE(at);
        return Number(all);
      };
      const drops = Object.fromEntries(DROPS.map((reason, i) => [reason, sum(2 + i)]));
      return { packets: sum(0), bytes: sum(1), drops: drops as SliverCounters['drops'] };
    },
  };
}

export const NO_COUNTERS = countersOf(1).decode(Buffer.alloc(countersOf(1).size));

const rawGrant: Codec<RawGrant> = {
  size: 16,
  encode({ sliver, generation, family, protocol, port, errorsOf }) {
    const bytes = Buffer.concat([u32.encode(sliver), u32.encode(generation), Buffer.alloc(8)]);
    bytes.writeUInt16LE(port, 8);
    bytes.writeUInt16LE(errorsOf?.port ?? 0, 10);
    bytes.set([family, protocol, errorsOf?.protocol ?? 0], 12);
    return bytes;
  },
  decode(bytes) {
    const [family, protocol, errors] = bytes.subarray(12) as unknown as [4 | 6, RawGrant['protocol'], 0 | 6 | 17];
    const grant = { sliver: bytes.readUInt32LE(0), generation: bytes.readUInt32LE(4), family, protocol };
    const port = bytes.readUInt16LE(8);
    return { ...grant, port, ...(errors && { errorsOf: { protocol: errors, port: bytes.readUInt16LE(10) } }) };
  },
};

const uplinkSettings: Codec<{ quota: number; shared: number }> = {
  size: 8,
  encode: ({ quota, shared }) => Buffer.concat([u32.encode(quota), u32.encode(shared)]),
  decode: (bytes) => ({ quota: bytes.readUInt32LE(0), shared: bytes.readUInt32LE(4) }),
};

/** Those of `flows_a` and `flows_b`: read in bulk, by flows.ts. */
export const FLOW_KEY_SIZE = 44;
export const FLOW_TOTAL_SIZE = 40;
/** As in uplink.bpf.c. */
export const MAX_FLOWS = 131_072;
const bytesOf = (size: number): Codec<Buffer> => ({ size, encode: (bytes) => bytes, decode: (bytes) => bytes });
const flowMap = (name: string): MapLayout<Buffer, Buffer> => ({
  name,
  layout: 1,
  key: bytesOf(FLOW_KEY_SIZE),
  value: bytesOf(FLOW_TOTAL_SIZE),
});

/**
 * Every map that has a pin. Sockets keep their grants in `raw_sockets`, and whose they are in `marks`: with another layout,
 * those already passed on would have none, so these never change. `flows` holds the id of the map of flows that is being filled.
 */
export const LAYOUTS = {
  settings: { name: 'settings', layout: 2, key: u32, value: settings },
  cgroups: { name: 'cgroups', layout: 1, key: u64, value: u32 },
  slivers: { name: 'slivers', layout: 1, key: u32, value: sliverEntry },
  ports: { name: 'ports', layout: 1, key: portKey, value: u32 },
  raw_ports: { name: 'raw_ports', layout: 1, key: portKey, value: u32 },
  addresses: { name: 'addresses', layout: 2, key: addressKey, value: u32 },
  barred: { name: 'barred', layout: 1, key: u32, value: u32 },
  exempt: { name: 'exempt', layout: 1, key: prefixKey, value: u32 },
  open_sockets: { name: 'open_sockets', layout: 1, key: u32, value: u32 },
  counters: { name: 'counters', layout: 1, key: u32, value: countersOf(1) },
  buckets: { name: 'buckets', layout: 1, key: u32, value: zeros(24) },
  marks: { name: 'marks', layout: 1, key: u32, value: zeros(16) },
  raw_sockets: { name: 'raw_sockets', layout: 1, key: u32, value: rawGrant },
  uplink_settings: { name: 'uplink_settings', layout: 1, key: u32, value: uplinkSettings },
  classes: { name: 'classes', layout: 1, key: u32, value: u32 },
  flows: { name: 'flows', layout: 1, key: u32, value: u32 },
  flows_a: flowMap('flows_a'),
  flows_b: flowMap('flows_b'),
} as const;
export type MapName = keyof typeof LAYOUTS;
