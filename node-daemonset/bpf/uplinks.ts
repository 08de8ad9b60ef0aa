/** The program on uplinks: by a link where the kernel attaches to interfaces by links, else by tc. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ExecError, run } from '../exec.ts';
import { check, libbpf } from './libbpf.ts';
import { lacksTcx, Links } from './links.ts';
import type { Program } from './object.ts';

/**
 * Of our filter, so that it is found again and replaced in place. Among bpf filters of one preference the newest is asked
 * first, and no preference is before 1: whoever else is there may let a packet pass for good.
 */
const FILTER = ['pref', '1', 'handle', '0x8138', 'protocol', 'all', 'bpf'];
/** That of earlier versions. */
const OLD_PREFERENCE = '33080';

export class UplinkLinks {
  readonly #links: Links;
  readonly #pin: string;
  readonly #program: Program;
  /** Interfaces that have our filter by tc; undefined until a link was refused. */
  #filtered: Set<string> | undefined;

  /** `byTc`: as if this kernel had no links to interfaces. */
  constructor(directory: string, program: Program, byTc = false) {
    this.#links = new Links(join(directory, 'uplinks'));
    this.#pin = join(directory, 'uplink_program');
    this.#program = program;
    if (byTc) this.#filtered = new Set();
  }

  /** Counts what leaves by these interfaces (index by name) and by no other. Returns the number of changes. */
  async attach(interfaces: ReadonlyMap<string, number>): Promise<number> {
    let changes = 0;
    for (const [name, index] of interfaces) changes += await this.#attach(name, index);
    const wanted = new Set([...interfaces.keys()].map(linkName));
    for (const name of this.#links.names().filter((one) => !wanted.has(one))) {
      this.#links.remove(name);
      changes++;
    }
    for (const name of [...(this.#filtered ?? [])].filter((one) => !interfaces.has(one))) {
      await this.#unfilter(name);
      changes++;
    }
    return changes;
  }

  async #attach(name: string, index: number): Promise<number> {
    if (!this.#filtered) {
      try {
        return this.#links.attach(linkName(name), this.#program, { kind: 'interface', index });
      } catch (error) {
        if (!lacksTcx(error)) throw error;
        this.#filtered = new Set();
      }
    }
    if (this.#filtered.has(name)) return 0;
    await this.#filter(name);
    this.#filtered.add(name);
    return 1;
  }

  /** Another process's filter of the same preference and handle is ours, and is replaced as a whole. */
  async #filter(name: string): Promise<void> {
    rmSync(this.#pin, { force: true });
    check(libbpf().bpf_obj_pin(this.#program.fd, this.#pin), `${this.#program.name} could not be pinned`);
    await run(['tc', 'qdisc', 'add', 'dev', name, 'clsact']).catch((error: unknown) => {
      if (!(error instanceof ExecError) || !/exists|Exclusivity/.test(error.stderr)) throw error;
    });
    const at = ['dev', name, 'egress', ...FILTER];
    await run(['tc', 'filter', 'replace', ...at, 'direct-action', 'object-pinned', this.#pin]);
    await remove(['dev', name, 'egress', 'pref', OLD_PREFERENCE]);
  }

  async #unfilter(name: string): Promise<void> {
    this.#filtered?.delete(name);
    await remove(['dev', name, 'egress', ...FILTER]);
  }
}

/** It may be gone already, and the interface itself. */
async function remove(filter: readonly string[]): Promise<void> {
  await run(['tc', 'filter', 'del', ...filter]).catch((error: unknown) => {
    if (!(error instanceof ExecError) || error.code === null) throw error;
  });
}

/** Names in a BPF file system have no dots, those of VLANs do. */
function linkName(name: string): string {
  return name.replaceAll('.', '@');
}
