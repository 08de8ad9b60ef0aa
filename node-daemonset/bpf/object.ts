/** Loads an object file's programs into the kernel, on the pinned maps where there are such, and pins those that are new. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { KernelError } from './kernel.ts';
import { LAYOUTS, type MapName } from './layout.ts';
import { addressOf, check, errnoText, type Handle, lastErrno, libbpf, type Libbpf } from './libbpf.ts';

export interface Program {
  name: string;
  fd: number;
  /** `enum bpf_attach_type`; of programs for interfaces 0. */
  attachType: number;
}

/** Its descriptors are open until `close`; what is attached or pinned stays. */
export interface LoadedObject {
  maps: ReadonlyMap<MapName, number>;
  programs: readonly Program[];
  close(): void;
}

/** The kernel's explanation of a program that it refuses; the end of it says why. */
const LOG_SIZE = 1 << 20;
const LOG_SHOWN = 600;

/** `struct bpf_object_open_opts` of libbpf 1.1; later ones go by the size that it says it has. */
function openOptions(log: Buffer): Buffer {
  const options = Buffer.alloc(80);
  options.writeBigUInt64LE(BigInt(options.length), 0);
  options.writeBigUInt64LE(addressOf(log), 56);
  options.writeBigUInt64LE(BigInt(log.length), 64);
  return options;
}

/** Where a map is pinned: maps of two layouts may be there side by side. Names in a BPF file system have no dots. */
export function pinOf(directory: string, name: MapName): string {
  return `${directory}/${name}@${LAYOUTS[name].layout}`;
}

/** Throws KernelError with the kernel's own words where it takes a program or a map not as it is. */
export function loadObject(path: string, pins: string): LoadedObject {
  const bpf = libbpf();
  if (!existsSync(path)) throw new KernelError(`${path} is missing: compile it with clang, as \`make bpf\` does`);
  const log = Buffer.alloc(LOG_SIZE);
  const object = bpf.bpf_object__open_file(path, openOptions(log));
  if (!object) throw new KernelError(`${path} could not be opened: ${errnoText(lastErrno())}`, lastErrno());
  try {
    const maps = mapsOf(bpf, object);
    for (const [name, map] of maps) check(bpf.bpf_map__set_pin_path(map, pinOf(pins, name)), `pin of map ${name}`);
    const result = bpf.bpf_object__load(object);
    if (result < 0) throw refused(basename(path), -result, log);
    return {
      maps: new Map([...maps].map(([name, map]) => [name, bpf.bpf_map__fd(map)])),
      programs: programsOf(bpf, object),
      close: () => bpf.bpf_object__close(object),
    };
  } catch (error) {
    bpf.bpf_object__close(object);
    throw error;
  }
}

function refused(file: string, errno: number, log: Buffer): KernelError {
  const text = log.toString('utf8', 0, log.indexOf(0)).trim();
  const why = text === '' ? '' : `: ${text.slice(-LOG_SHOWN)}`;
  const needs = 'Linux 5.18 or later with CONFIG_BPF_SYSCALL, CONFIG_CGROUP_BPF and cgroup v2 mounted is needed';
  return new KernelError(`the kernel refuses ${file}: ${errnoText(errno)}; ${needs}${why}`, errno);
}

/** Maps of ours; a program's own variables are maps, too, and need no pin. */
function mapsOf(bpf: Libbpf, object: Handle): Map<MapName, Handle> {
  const maps = new Map<MapName, Handle>();
  for (let map = bpf.bpf_object__next_map(object, null); map; map = bpf.bpf_object__next_map(object, map)) {
    const name = bpf.bpf_map__name(map) as MapName;
    const layout = LAYOUTS[name];
    if (name.includes('.')) continue;
    const sizes = [bpf.bpf_map__key_size(map), bpf.bpf_map__value_size(map)];
    if (sizes[0] !== layout?.key.size || sizes[1] !== layout.value.size) {
      throw new KernelError(`map ${name} has elements of ${sizes.join(' and ')} bytes: it is not of this version`);
    }
    maps.set(name, map);
  }
  return maps;
}

function programsOf(bpf: Libbpf, object: Handle): Program[] {
  const programs: Program[] = [];
  let next = bpf.bpf_object__next_program(object, null);
  for (; next; next = bpf.bpf_object__next_program(object, next)) {
    const attachType = bpf.bpf_program__get_expected_attach_type(next);
    programs.push({ name: bpf.bpf_program__name(next), fd: bpf.bpf_program__fd(next), attachType });
  }
  return programs;
}
