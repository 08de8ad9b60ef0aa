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
    const texts = new Map<string, string>();
    const text = (bytes: Buffer): string => {
      const key = bytes.toString('latin1');
      let known = texts.get(key);
      if (known === undefined) texts.set(key, (known = addressText(bytes)));
      return known;
    };
    full.drain((keys, values, count) => {
      for (let i = 0; i < count; i++) {
        const key = keys.subarray(i * FLOW_KEY_SIZE, (i + 1) * FLOW_KEY_SIZE);
        const flow = parseFlow(key, values.subarray(i * FLOW_TOTAL_SIZE, (i + 1) * FLOW_TOTAL_SIZE), text);
        if (flow.packets > 0) flows.push(flow);
      }
    });
    return flows;
  }
}

/** `struct flow` and `struct flow_total`. */
export function parseFlow(key: Buffer, total: Buffer, text: (bytes: Buffer) => string = addressText): RawFlow {
  const protocol = key[40]!;
  const isRest = protocol === REST;
  return {
    sliver: key.readUInt32LE(0),
    family: key[41] === 6 ? 6 : 4,
    source: isRest ? '' : text(key.subarray(4, 20)),
    destination: isRest ? '' : text(key.subarray(20, 36)),
    protocol,
    sourcePort: key.readUInt16LE(36),
    destinationPort: key.readUInt16LE(38),
    tcpFlags: total.readUInt32LE(32),
    first: total.readBigUInt64LE(0),
    last: total.readBigUInt64LE(8),
    packets: Number(total.readBigUInt64LE(16)),
    bytes: Number(total.readBigUInt64LE(24)),
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
