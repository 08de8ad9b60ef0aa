/**
 * Flows of one period, added up: fixed columns instead of objects, so that a hundred thousand of them take 10 MB and no
 * time of the garbage collector. Bounded: what finds no room is added to its sliver's row without addresses.
 */
import type { Prefix } from '../../crds/ipaddress.ts';
import { type Flow, OVERFLOW_PROTOCOL, UNTOLD } from './flow.ts';
import { addressText, pack, type PrefixWords, prefixWords } from './words.ts';

export interface TableOptions {
  /** Rows at most, beside one without addresses for each sliver. Default 131072. */
  capacity?: number;
  /** Whatever the senders do not know: they choose the keys, and must not choose where they collide. */
  seed: number;
}

/** 32-bit words of a key: source 4, destination 4, ports, sliver, protocol. */
const KEY = 11;
/** Numbers of a value: first, last, packets, bytes. */
const VALUE = 4;
const FIRST_ROWS = 256;
const DEFAULT_CAPACITY = 131_072;
/** Half of the rows are the slivers' own, in equal parts, so that one that scans takes nobody else's. */
const SLIVERS = 1_024;

export class FlowTable {
  readonly #capacity: number;
  readonly #seed: number;
  #keys = new Uint32Array(FIRST_ROWS * KEY);
  #values = new Float64Array(FIRST_ROWS * VALUE);
  #flags = new Uint8Array(FIRST_ROWS);
  /** Row + 1 by hash; 0 where free. Twice as many as rows, so that probing ends soon. */
  #index = new Int32Array(FIRST_ROWS * 2);
  #rows = 0;
  #shared = 0;
  #folded = 0;
  readonly #perSliver = new Map<number, number>();
  readonly #scratch = new Uint32Array(KEY);

  constructor({ capacity = DEFAULT_CAPACITY, seed }: TableOptions) {
    this.#capacity = capacity;
    this.#seed = seed >>> 0;
  }

  get rows(): number {
    return this.#rows;
  }

  /** How often flows were added to a row without addresses for want of room. */
  get folded(): number {
    return this.#folded;
  }

  slivers(): IterableIterator<number> {
    return this.#perSliver.keys();
  }

  /** Adds a flow, to the row of its key where there is one. */
  add(flow: Flow): void {
    const told = this.#find(this.#key(flow)) ?? (this.#mayHave(flow) ? this.#append(flow.sliver) : undefined);
    if (told !== undefined) return this.#count(told, flow);
    this.#folded++;
    const untold = { ...flow, ...UNTOLD };
    this.#count(this.#find(this.#key(untold)) ?? this.#append(flow.sliver), untold);
  }

  /**
   * Rows `from` to `to` (without it), for readers that pause in between: rows never move and are never taken away. With a
   * destination, only those that went there, and those without addresses.
   */
  *read(from = 0, to = this.#rows, destination?: Prefix): Generator<Flow> {
    const wanted = destination && prefixWords(destination);
    for (let row = from; row < Math.min(to, this.#rows); row++) {
      if (!wanted || this.#goesTo(row, wanted)) yield this.#row(row);
    }
  }

  #goesTo(row: number, { words, masks }: PrefixWords): boolean {
    const keys = this.#keys;
    const at = row * KEY;
    if (keys[at + 10] === OVERFLOW_PROTOCOL) return true;
    for (let i = 0; i < 4; i++) if (((keys[at + 4 + i]! ^ words[i]!) & masks[i]!) !== 0) return false;
    return true;
  }

  #row(row: number): Flow {
    const [keys, values] = [this.#keys, this.#values];
    const [key, value] = [row * KEY, row * VALUE];
    const protocol = keys[key + 10]!;
    const told = protocol !== OVERFLOW_PROTOCOL;
    return {
      sliver: keys[key + 9]!,
      source: told ? addressText(keys, key) : '',
      destination: told ? addressText(keys, key + 4) : '',
      protocol,
      sourcePort: keys[key + 8]! >>> 16,
      destinationPort: keys[key + 8]! & 0xffff,
      tcpFlags: this.#flags[row]!,
      first: values[value]!,
      last: values[value + 1]!,
      packets: values[value + 2]!,
      bytes: values[value + 3]!,
    };
  }

  #key({ source, destination, sourcePort, destinationPort, sliver, protocol }: Flow): Uint32Array {
    const key = this.#scratch;
    pack(source, key, 0);
    pack(destination, key, 4);
    key[8] = ((sourcePort & 0xffff) << 16) | (destinationPort & 0xffff);
    key[9] = sliver;
    key[10] = protocol;
    return key;
  }

  #find(key: Uint32Array): number | undefined {
    const mask = this.#index.length - 1;
    for (let slot = this.#hash(key) & mask; ; slot = (slot + 1) & mask) {
      const row = this.#index[slot]! - 1;
      if (row < 0) return undefined;
      if (this.#isKey(row, key)) return row;
    }
  }

  #isKey(row: number, key: Uint32Array): boolean {
    for (let i = 0, at = row * KEY; i < KEY; i++) if (this.#keys[at + i] !== key[i]) return false;
    return true;
  }

  /** Its own part first; beyond it what nobody has taken yet, but no more than a quarter of that. */
  #mayHave({ sliver, protocol }: Flow): boolean {
    if (protocol === OVERFLOW_PROTOCOL) return true;
    const has = this.#perSliver.get(sliver) ?? 0;
    const own = Math.max(1, Math.floor(this.#capacity / 2 / SLIVERS));
    if (has < own) return true;
    const shared = Math.floor(this.#capacity / 2);
    if (this.#shared >= shared || has - own >= shared / 4) return false;
    this.#shared++;
    return true;
  }

  /** A new row for the key in `#scratch`. */
  #append(sliver: number): number {
    if (this.#rows === this.#flags.length) this.#grow();
    const row = this.#rows++;
    this.#keys.set(this.#scratch, row * KEY);
    this.#values[row * VALUE] = Infinity;
    this.#place(row);
    this.#perSliver.set(sliver, (this.#perSliver.get(sliver) ?? 0) + 1);
    return row;
  }

  #count(row: number, { first, last, packets, bytes, tcpFlags }: Flow): void {
    const at = row * VALUE;
    const values = this.#values;
    values[at] = Math.min(values[at]!, first);
    values[at + 1] = Math.max(values[at + 1]!, last);
    values[at + 2]! += packets;
    values[at + 3]! += bytes;
    this.#flags[row]! |= tcpFlags;
  }

  #grow(): void {
    const rows = this.#flags.length * 2;
    const enlarged = <T extends Uint32Array | Float64Array | Uint8Array>(made: T, old: T): T => (made.set(old), made);
    this.#keys = enlarged(new Uint32Array(rows * KEY), this.#keys);
    this.#values = enlarged(new Float64Array(rows * VALUE), this.#values);
    this.#flags = enlarged(new Uint8Array(rows), this.#flags);
    this.#index = new Int32Array(rows * 2);
    for (let row = 0; row < this.#rows; row++) this.#place(row);
  }

  #place(row: number): void {
    const mask = this.#index.length - 1;
    let slot = this.#hash(this.#keys.subarray(row * KEY, (row + 1) * KEY)) & mask;
    while (this.#index[slot] !== 0) slot = (slot + 1) & mask;
    this.#index[slot] = row + 1;
  }

  #hash(key: Uint32Array): number {
    let hash = this.#seed;
    for (let i = 0; i < KEY; i++) {
      hash = Math.imul(hash ^ Math.imul(key[i]!, 0xcc9e2d51), 0x1b873593);
      hash = (hash << 13) | (hash >>> 19);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return hash ^ (hash >>> 13);
  }
}
