/** Pinned links: what attaches a program, outlives this process, and takes a new program without a gap. */
import { closeSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { KernelError } from './kernel.ts';
import { check, libbpf } from './libbpf.ts';
import type { Program } from './object.ts';

/** `BPF_TCX_EGRESS`, newer than libbpf 1.1. */
export const TCX_EGRESS = 47;

const ENOENT = 2;

/** `struct bpf_link_create_opts`: BPF_F_BEFORE, and before nobody in particular. Its other fields are 0. */
const FIRST = Buffer.alloc(64);
FIRST.writeBigUInt64LE(64n, 0);
FIRST.writeUInt32LE(8, 8);

/** Ends the name of a link that is about to take its place. */
const NEW = '@new';

/** Where a program is attached: to a cgroup by its id, or to an interface by its index. */
export type Target = { kind: 'cgroup'; id: bigint; fd: number } | { kind: 'interface'; index: number };

/** Links by name, below one directory of a BPF file system. */
export class Links {
  readonly #directory: string;
  /** The programs that this process has already put into the link of that name. */
  readonly #current = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  names(): string[] {
    return readdirSync(this.#directory).filter((name) => !name.endsWith(NEW));
  }

  /**
   * Sees to it that the program, and no earlier one, runs at the target by the link of this name. Returns how many changes
   * that took: 0 where all was well, else 1. A link whose target is gone, or another, is replaced.
   */
  attach(name: string, program: Program, target: Target): number {
    const path = join(this.#directory, name);
    const link = libbpf().bpf_obj_get(path);
    if (link < 0 && link !== -ENOENT) check(link, `the link ${path} could not be opened`);
    if (link >= 0) {
      try {
        if (isAt(link, target)) {
          if (this.#current.get(name) === program.fd) return 0;
          check(
            libbpf().bpf_link_update(link, program.fd, null),
            `${program.name} could not take its predecessor's place`,
          );
          this.#current.set(name, program.fd);
          return 1;
        }
      } finally {
        closeSync(link);
      }
    }
    this.#create(path, program, target);
    this.#current.set(name, program.fd);
    return 1;
  }

  /** The new one is attached before the old one goes. */
  #create(path: string, program: Program, target: Target): void {
    const [fd, type] = target.kind === 'cgroup' ? [target.fd, program.attachType] : [target.index, TCX_EGRESS];
    // Whoever else is there may let a packet pass for good: what comes after him does not see it.
    const first = target.kind === 'interface' ? FIRST : null;
    const link = check(libbpf().bpf_link_create(program.fd, fd, type, first), `${program.name} could not be attached`);
    try {
      const fresh = `${path}${NEW}`;
      rmSync(fresh, { force: true });
      check(libbpf().bpf_obj_pin(link, fresh), `the link ${path} could not be pinned`);
      renameSync(fresh, path);
    } finally {
      closeSync(link);
    }
  }

  /** The program runs no longer. */
  remove(name: string): void {
    rmSync(join(this.#directory, name), { force: true });
    this.#current.delete(name);
  }
}

/** `struct bpf_link_info`: a link whose cgroup or interface is gone has 0 in its place. */
function isAt(link: number, target: Target): boolean {
  const info = Buffer.alloc(64);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(info.length);
  check(libbpf().bpf_obj_get_info_by_fd(link, info, length), 'a link could not be read');
  if (target.kind === 'cgroup') return info.readBigUInt64LE(16) === target.id;
  return info.readUInt32LE(16) === target.index;
}

/** Whether this kernel attaches programs to interfaces by links; Linux 6.6 and later do. */
export function lacksTcx(error: unknown): boolean {
  const EINVAL = 22;
  return error instanceof KernelError && error.errno === EINVAL;
}
