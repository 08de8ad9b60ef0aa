/** One map in the kernel: typed by its layout, bytes at the border, whole maps in batches. */
import { KernelError } from './kernel.ts';
import type { MapLayout } from './layout.ts';
import { check, errnoText, libbpf } from './libbpf.ts';

const ENOENT = 2;
const ENOSPC = 28;

/** Updates make an element or replace it. */
const ANY = 0;

/** Elements of a batch call: a few hundred kilobytes at most. */
const BATCH = 4096;

/** A map's elements by the latin1 text of their keys: bytes that can be compared. */
export type RawEntries = ReadonlyMap<string, string>;

export class BpfMap<K, V> {
  readonly layout: MapLayout<K, V>;
  readonly fd: number;

  constructor(layout: MapLayout<K, V>, fd: number) {
    this.layout = layout;
    this.fd = fd;
  }

  get(key: K): V | undefined {
    const value = Buffer.alloc(this.layout.value.size);
    const result = libbpf().bpf_map_lookup_elem(this.fd, this.layout.key.encode(key), value);
    if (result === -ENOENT) return undefined;
    check(result, `${this.#what} could not be read`);
    return this.layout.value.decode(value);
  }

  set(key: K, value: V): void {
    const bytes = this.layout.value.encode(value);
    const result = libbpf().bpf_map_update_elem(this.fd, this.layout.key.encode(key), bytes, ANY);
    check(result, `${this.#what} could not be written`);
  }

  /** Every element. One that comes or goes meanwhile is there or not. */
  read(): RawEntries {
    const { key, value } = this.layout;
    const all = new Map<string, string>();
    this.#batches('bpf_map_lookup_batch', (keys, values, count) => {
      for (let i = 0; i < count; i++) {
        const k = keys.toString('latin1', i * key.size, (i + 1) * key.size);
        all.set(k, values.toString('latin1', i * value.size, (i + 1) * value.size));
      }
    });
    return all;
  }

  decode(entries: RawEntries): [K, V][] {
    const { key, value } = this.layout;
    const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
    return [...entries].map(([k, v]) => [key.decode(bytes(k)), value.decode(bytes(v))]);
  }

  /** Makes elements, or replaces them. */
  write(entries: readonly (readonly [Buffer, Buffer])[]): void {
    for (let at = 0; at < entries.length; at += BATCH) {
      const some = entries.slice(at, at + BATCH);
      const [keys, values] = [some.map(([key]) => key), some.map(([, value]) => value)].map((all) =>
        Buffer.concat(all),
      );
      const result = libbpf().bpf_map_update_batch(this.fd, keys!, values!, counted(some.length), null);
      check(result, `${some.length} elements of ${this.#what} could not be written`);
    }
  }

  /** Keys that are not there any more are as good as deleted. */
  erase(keys: readonly Buffer[]): void {
    for (const key of keys) {
      const result = libbpf().bpf_map_delete_elem(this.fd, key);
      if (result !== -ENOENT) check(result, `an element of ${this.#what} could not be deleted`);
    }
  }

  /** Takes everything out. The buffers of one call are overwritten in the next. */
  drain(take: (keys: Buffer, values: Buffer, count: number) => void): void {
    this.#batches('bpf_map_lookup_and_delete_batch', take);
  }

  get #what(): string {
    return `the kernel's map "${this.layout.name}"`;
  }

  #batches(
    call: 'bpf_map_lookup_batch' | 'bpf_map_lookup_and_delete_batch',
    take: (keys: Buffer, values: Buffer, count: number) => void,
  ): void {
    const { key, value } = this.layout;
    let size = BATCH;
    let keys = Buffer.alloc(size * key.size);
    let values = Buffer.alloc(size * value.size);
    // Where to go on is an opaque number of at most so many bytes.
    let after: Buffer | null = null;
    let next: Buffer = Buffer.alloc(Math.max(8, key.size));
    for (;;) {
      const count = counted(size);
      const result = libbpf()[call](this.fd, after, next, keys, values, count, null);
      if (result === -ENOSPC && size < BATCH * 64) {
        // one bucket of the hash holds more than was asked for
        size *= 4;
        keys = Buffer.alloc(size * key.size);
        values = Buffer.alloc(size * value.size);
        continue;
      }
      if (result < 0 && result !== -ENOENT) {
        throw new KernelError(`${this.#what} could not be read: ${errnoText(-result)}`, -result);
      }
      take(keys, values, count.readUInt32LE());
      if (result === -ENOENT) return;
      [after, next] = [next, after ?? Buffer.alloc(next.length)];
    }
  }
}

/** How many elements there are, for a call that writes there how many it took. */
function counted(elements: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(elements);
  return bytes;
}
