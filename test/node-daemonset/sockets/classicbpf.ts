/** Runs classic BPF programs as the kernel does, as far as ours go; returns the bytes that are accepted. */

/** What is not in the packet: its Ethernet protocol, and whether it is sent or received. */
export interface Beside {
  protocol?: number;
  packetType?: number;
}

export function runFilter(program: Buffer, packet: Buffer, beside: Beside = {}): number {
  let a = 0;
  let x = 0;
  /** undefined: beyond the packet, by which the kernel drops it. */
  const load = (at: number, size: 1 | 2): number | undefined => {
    if (at === 0xfffff000) return beside.protocol ?? 0;
    if (at === 0xfffff004) return beside.packetType ?? 0;
    if (at + size > packet.length) return undefined;
    return size === 1 ? packet[at] : packet.readUInt16BE(at);
  };
  for (let at = 0; at < program.length; at += 8) {
    const [code, yes, no, k] = [
      program.readUInt16LE(at),
      program[at + 2]!,
      program[at + 3]!,
      program.readUInt32LE(at + 4),
    ];
    let loaded: number | undefined = 0;
    if (code === 0x30) loaded = load(k, 1);
    else if (code === 0x28) loaded = load(k, 2);
    else if (code === 0x50) loaded = load(x + k, 1);
    else if (code === 0x48) loaded = load(x + k, 2);
    else if (code === 0xb1) {
      loaded = load(k, 1);
      x = ((loaded ?? 0) & 0xf) * 4;
    } else if (code === 0x54) a &= k;
    else if (code === 0x64) a <<= k;
    else if (code === 0x0c) a += x;
    else if (code === 0x07) x = a;
    else if (code === 0x01) x = k;
    else if (code === 0x15) at += 8 * (a === k ? yes : no);
    else if (code === 0x45) at += 8 * ((a & k) === 0 ? no : yes);
    else if (code === 0x05) at += 8 * k;
    else if (code === 0x06) return k;
    else throw new Error(`an instruction that is not known: ${code}`);
    if (loaded === undefined) return 0;
    if ([0x30, 0x28, 0x50, 0x48].includes(code)) a = loaded;
  }
  throw new Error('the program has no end');
}
