/** Addresses as four 32-bit words: how tables of flows keep and compare them. */
import { formatAddress, parseAddress, type Prefix } from '../../crds/ipaddress.ts';

/** A prefix as four words. */
export interface PrefixWords {
  words: Uint32Array;
  masks: Uint32Array;
}

/** The third word of every IPv4 address: ::ffff:a.b.c.d. */
const V4_WORD = 0xffff;

/** To compare with `(word ^ words[i]) & masks[i]`. */
export function prefixWords({ bytes, bits }: Prefix): PrefixWords {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at));
  const masks = Uint32Array.from([32, 64, 96, 128], (end) => {
    const set = Math.min(32, Math.max(0, bits - end + 32));
    return set === 0 ? 0 : 0xffffffff << (32 - set);
  });
  return { words, masks };
}

/** Four words of an address; '' is all zeros. Most are IPv4: those are read without making anything. */
export function pack(address: string, into: Uint32Array, at: number): void {
  const v4 = v4Word(address);
  into[at] = into[at + 1] = into[at + 2] = 0;
  into[at + 3] = 0;
  if (v4 >= 0) {
    into[at + 2] = V4_WORD;
    into[at + 3] = v4;
    return;
  }
  const bytes = address === '' ? undefined : parseAddress(address);
  if (!bytes) return;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) into[at + i] = view.getUint32(4 * i);
}

/** The number that four decimals are; -1 for anything else. */
function v4Word(text: string): number {
  let [word, decimal, dots] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      word = word * 256 + decimal;
      decimal = 0;
      dots++;
    } else if (code >= 48 && code <= 57) decimal = decimal * 10 + code - 48;
    else return -1;
  }
  return dots === 3 ? word * 256 + decimal : -1;
}

/** The address of four words from `at` on. */
export function addressText(words: Uint32Array, at: number): string {
  const [a = 0, b = 0, c = 0, d = 0] = words.subarray(at, at + 4);
  if (a === 0 && b === 0 && c === V4_WORD) return `${d >>> 24}.${(d >>> 16) & 255}.${(d >>> 8) & 255}.${d & 255}`;
  return formatAddress(Uint8Array.from([a, b, c, d].flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word])));
}
