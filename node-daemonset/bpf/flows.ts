/** Flows out of the kernel: one map is filled while the other is emptied. */
import { addressText } from './address.ts';
import type { RawFlow } from './kernel.ts';
import { FLOW_KEY_SIZE, FLOW_TOTAL_SIZE } from './layout.ts';
import { check, libbpf } from './libbpf.ts';
import type { BpfMap } from './map.ts';

/** The protocol of rows without detail. */
export const REST = 255;

type FlowMap = BpfMap<Buffer, Buffer>;

export class Flows {
  /** Holds the one that is filled: written as a descriptor, read as an id. */
  readonly #filled: BpfMap<number, number>;
  readonly #maps: readonly [FlowMap, FlowMap];

  constructor(filled: BpfMap<number, number>, a: FlowMap, b: FlowMap) {
    this.#filled = filled;
    this.#maps = [a, b];
  }

  /** What a manager that was killed in between left in the idle map comes with the next call. */
  drain(): RawFlow[] {
    const [a, b] = this.#maps;
    const [full, empty] = this.#filled.get(0) === idOf(a.fd) ? [a, b] : [b, a];
    // The kernel returns only when no program is left that writes into the other one.
    this.#filled.set(0, empty.fd);
    const flows: RawFlow[] = [];
    const text = rememberTexts();
    full.drain((keys, totals, count) => {
      for (let i = 0; i < count; i++) {
        const flow = parseFlow(keys, i * FLOW_KEY_SIZE, totals, i * FLOW_TOTAL_SIZE, text);
        if (flow.packets > 0) flows.push(flow);
      }
    });
    return flows;
  }
}

/** `struct flow` and `struct flow_total`, each at its place among others. */
export function parseFlow(
  keys: Buffer,
  key: number,
  totals: Buffer,
  total: number,
  text = (bytes: Buffer, at: number) => addressText(bytes.subarray(at, at + 16)),
): RawFlow {
  const protocol = keys[key + 40]!;
  const isRest = protocol === REST;
  return {
    sliver: keys.readUInt32LE(key),
    family: keys[key + 41] === 6 ? 6 : 4,
    source: isRest ? '' : text(keys, key + 4),
    destination: isRest ? '' : text(keys, key + 20),
    protocol,
    sourcePort: keys.readUInt16LE(key + 36),
    destinationPort: keys.readUInt16LE(key + 38),
    tcpFlags: totals.readUInt32LE(total + 32),
    first: totals.readBigUInt64LE(total),
    last: totals.readBigUInt64LE(total + 8),
    packets: count(totals, total + 16),
    bytes: count(totals, total + 24),
  };
}

/** A u64 that no node makes greater than a number can be; several times as fast as by way of a bigint. */
function count(totals: Buffer, at: number): number {
  return totals.readUInt32LE(at) + totals.readUInt32LE(at + 4) * 2 ** 32;
}

/** Texts of addresses, each made once: many flows have few addresses. */
function rememberTexts(): (bytes: Buffer, at: number) => string {
  const known = new Map<string, string>();
  return (bytes, at) => {
    const key = bytes.toString('latin1', at, at + 16);
    let text = known.get(key);
    if (text === undefined) known.set(key, (text = addressText(bytes.subarray(at, at + 16))));
    return text;
  };
}

/** `struct bpf_map_info`. */
function idOf(map: number): number {
  const info = Buffer.alloc(88);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(info.length);
  check(libbpf().bpf_obj_get_info_by_fd(map, info, length), 'a map of flows could not be read');
  return info.readUInt32LE(4);
}
