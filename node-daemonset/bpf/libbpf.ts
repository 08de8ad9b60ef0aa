/** The calls of libbpf.so.1 that are used here, as they are in C; Debian 12's 1.1.2 has all of them. */
import koffi from 'koffi';
import { KernelError } from './kernel.ts';

/** An object, map or program of libbpf's: opaque, and valid while its object is open. */
export type Handle = object;

/** Functions that return a number return a descriptor or 0, or a negative errno. */
export interface Libbpf {
  bpf_object__open_file(path: string, options: Buffer): Handle | null;
  bpf_object__load(object: Handle): number;
  bpf_object__close(object: Handle): void;
  bpf_object__next_map(object: Handle, previous: Handle | null): Handle | null;
  bpf_object__next_program(object: Handle, previous: Handle | null): Handle | null;
  bpf_map__name(map: Handle): string;
  bpf_map__fd(map: Handle): number;
  bpf_map__key_size(map: Handle): number;
  bpf_map__value_size(map: Handle): number;
  bpf_map__set_pin_path(map: Handle, path: string): number;
  bpf_program__name(program: Handle): string;
  bpf_program__fd(program: Handle): number;
  bpf_program__get_expected_attach_type(program: Handle): number;
  bpf_link_create(program: number, target: number, attachType: number, options: Buffer | null): number;
  bpf_link_update(link: number, program: number, options: null): number;
  bpf_obj_pin(fd: number, path: string): number;
  bpf_obj_get(path: string): number;
  bpf_obj_get_info_by_fd(fd: number, info: Buffer, length: Buffer): number;
  bpf_map_get_fd_by_id(id: number): number;
  bpf_map_update_elem(map: number, key: Buffer, value: Buffer, flags: number): number;
  bpf_map_lookup_elem(map: number, key: Buffer, value: Buffer): number;
  bpf_map_delete_elem(map: number, key: Buffer): number;
  bpf_map_lookup_batch(map: number, after: Buffer | null, next: Buffer, ...rest: BatchArguments): number;
  bpf_map_lookup_and_delete_batch(map: number, after: Buffer | null, next: Buffer, ...rest: BatchArguments): number;
  bpf_map_update_batch(map: number, ...rest: BatchArguments): number;
  bpf_map_delete_batch(map: number, keys: Buffer, count: Buffer, options: null): number;
  libbpf_num_possible_cpus(): number;
}

type BatchArguments = [keys: Buffer, values: Buffer, count: Buffer, options: null];

const BATCH = ['void*', 'void*', 'void*', 'void*'];
const SIGNATURES: Readonly<Record<keyof Libbpf, [result: string, ...args: string[]]>> = {
  bpf_object__open_file: ['void*', 'str', 'void*'],
  bpf_object__load: ['int', 'void*'],
  bpf_object__close: ['void', 'void*'],
  bpf_object__next_map: ['void*', 'void*', 'void*'],
  bpf_object__next_program: ['void*', 'void*', 'void*'],
  bpf_map__name: ['str', 'void*'],
  bpf_map__fd: ['int', 'void*'],
  bpf_map__key_size: ['uint32', 'void*'],
  bpf_map__value_size: ['uint32', 'void*'],
  bpf_map__set_pin_path: ['int', 'void*', 'str'],
  bpf_program__name: ['str', 'void*'],
  bpf_program__fd: ['int', 'void*'],
  bpf_program__get_expected_attach_type: ['int', 'void*'],
  bpf_link_create: ['int', 'int', 'int', 'int', 'void*'],
  bpf_link_update: ['int', 'int', 'int', 'void*'],
  bpf_obj_pin: ['int', 'int', 'str'],
  bpf_obj_get: ['int', 'str'],
  bpf_obj_get_info_by_fd: ['int', 'int', 'void*', 'void*'],
  bpf_map_get_fd_by_id: ['int', 'uint32'],
  bpf_map_update_elem: ['int', 'int', 'void*', 'void*', 'uint64'],
  bpf_map_lookup_elem: ['int', 'int', 'void*', 'void*'],
  bpf_map_delete_elem: ['int', 'int', 'void*'],
  bpf_map_lookup_batch: ['int', 'int', 'void*', 'void*', ...BATCH],
  bpf_map_lookup_and_delete_batch: ['int', 'int', 'void*', 'void*', ...BATCH],
  bpf_map_update_batch: ['int', 'int', ...BATCH],
  bpf_map_delete_batch: ['int', 'int', 'void*', 'void*', 'void*'],
  libbpf_num_possible_cpus: ['int'],
};

let loaded: Libbpf | undefined;

/** Loads the library once. Throws KernelError where it is not there. */
export function libbpf(): Libbpf {
  if (loaded) return loaded;
  try {
    const library = koffi.load('libbpf.so.1');
    // It would write to stderr; what it has to say of a program comes through the log of `loadObject`.
    library.func('libbpf_set_print', 'void*', ['void*'])(null);
    const functions = Object.entries(SIGNATURES).map(([name, [result, ...args]]) => [
      name,
      library.func(name, result, args) as unknown,
    ]);
    return (loaded = Object.fromEntries(functions) as Libbpf);
  } catch (error) {
    throw new KernelError(
      `libbpf.so.1 can't be used (${(error as Error).message}): install libbpf1, version 1.1 or later`,
    );
  }
}

/** The errno of the last call that returned a null pointer. */
export const lastErrno = (): number => koffi.errno();

/** Where a buffer is in memory, for structs that point to one; the caller keeps it alive. */
export const addressOf = (buffer: Buffer): bigint => koffi.address(buffer);

/** The result where it is no error; else throws a KernelError that begins with `what`. */
export function check(result: number, what: string): number {
  if (result >= 0) return result;
  throw new KernelError(`${what}: ${errnoText(-result)}`, -result);
}

/** Such as `EINVAL (22)`. */
export function errnoText(errno: number): string {
  const name = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0];
  return `${name ?? 'errno'} (${errno})`;
}
