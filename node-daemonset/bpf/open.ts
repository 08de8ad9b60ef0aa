/** The programs in the kernel, loaded by this process on maps that may be older than it is. */
import { closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mountBpffs, unmountBpffs } from './bpffs.ts';
import { Flows } from './flows.ts';
import { type Kernel, KernelError, type RawFlow, type RawGrant, type SliverCounters } from './kernel.ts';
import { countersOf, LAYOUTS, type MapLayout, type MapName, SLIVER_RAW } from './layout.ts';
import { libbpf } from './libbpf.ts';
import { Links } from './links.ts';
import { BpfMap } from './map.ts';
import { type LoadedObject, loadObject, pinOf, type Program } from './object.ts';
import { UplinkLinks } from './uplinks.ts';

export interface KernelOptions {
  /** A directory of the node manager's own: a BPF file system is mounted there unless one is. */
  directory: string;
  /** Where the compiled programs are; beside this file by default. */
  objects?: string;
  /** Uses tc on uplinks also where the kernel has links to interfaces. */
  uplinksByTc?: boolean;
}

type Entry<N extends MapName> = (typeof LAYOUTS)[N] extends MapLayout<infer K, infer V> ? [K, V] : never;
export type MapOf<N extends MapName> = BpfMap<Entry<N>[0], Entry<N>[1]>;

/** Maps that the guard fills. */
export type GuardMaps = {
  [
    N in
      | 'settings'
      | 'cgroups'
      | 'slivers'
      | 'ports'
      | 'addresses'
      | 'barred'
      | 'exempt'
      | 'counters'
      | 'buckets'
      | 'open_sockets'
  ]: MapOf<N>;
};

/** What counts flows; a kernel may lack it without the slivers being any less guarded. */
export interface FlowPrograms {
  settings: MapOf<'uplink_settings'>;
  classes: MapOf<'classes'>;
  flows: Flows;
  links: UplinkLinks;
}

/** `openKernel` makes it; nothing is attached before `attach` and `flows.links.attach`. */
export class SliverKernel implements Kernel {
  readonly maps: GuardMaps;
  /** Or why there are no flows. */
  readonly flows: FlowPrograms | KernelError;
  readonly #raw: MapOf<'raw_sockets'>;
  readonly #rawPorts: MapOf<'raw_ports'>;
  /** By name; `bpf_prog_info` of each says how often it ran, and for how long where the kernel counts that. */
  readonly programs: readonly Program[];
  readonly #guard: readonly LoadedObject[];
  readonly #objects: readonly LoadedObject[];
  readonly #links: Links;
  readonly #directory: string;

  constructor(directory: string, guard: readonly LoadedObject[], flows: LoadedObject | KernelError, byTc: boolean) {
    this.#directory = directory;
    this.#guard = guard;
    this.#objects = flows instanceof KernelError ? guard : [...guard, flows];
    this.programs = this.#objects.flatMap(({ programs }) => programs);
    const fds = new Map(this.#objects.flatMap(({ maps }) => [...maps]));
    const map = <K, V>(layout: MapLayout<K, V>): BpfMap<K, V> => new BpfMap(layout, fds.get(layout.name as MapName)!);
    this.maps = {
      settings: map(LAYOUTS.settings),
      cgroups: map(LAYOUTS.cgroups),
      slivers: map(LAYOUTS.slivers),
      ports: map(LAYOUTS.ports),
      addresses: map(LAYOUTS.addresses),
      barred: map(LAYOUTS.barred),
      exempt: map(LAYOUTS.exempt),
      counters: map({ ...LAYOUTS.counters, value: countersOf(libbpf().libbpf_num_possible_cpus()) }),
      buckets: map(LAYOUTS.buckets),
      open_sockets: map(LAYOUTS.open_sockets),
    };
    this.#raw = map(LAYOUTS.raw_sockets);
    this.#rawPorts = map(LAYOUTS.raw_ports);
    this.#links = new Links(join(directory, 'links'));
    this.flows =
      flows instanceof KernelError
        ? flows
        : {
            settings: map(LAYOUTS.uplink_settings),
            classes: map(LAYOUTS.classes),
            flows: new Flows(map(LAYOUTS.flows), map(LAYOUTS.flows_a), map(LAYOUTS.flows_b)),
            links: new UplinkLinks(directory, flows.programs[0]!, byTc),
          };
  }

  /**
   * Every program on sockets and packets runs once, at the cgroup of all pods; those of an earlier process give way in
   * place. To be called when the maps are filled. Returns the number of changes: 0 where all was well.
   */
  attach(kubepods: string): number {
    const id = cgroupId(kubepods);
    const fd = openSync(kubepods, 'r');
    try {
      const programs = this.#guard.flatMap((object) => object.programs);
      const changes = programs.map((program) => this.#links.attach(program.name, program, { kind: 'cgroup', id, fd }));
      const names = new Set(programs.map(({ name }) => name));
      for (const name of this.#links.names().filter((one) => !names.has(one))) {
        this.#links.remove(name);
        changes.push(1);
      }
      return changes.reduce((sum, one) => sum + one, 0);
    } finally {
      closeSync(fd);
    }
  }

  /** Pins of other layouts go, when nothing that is attached uses them any more. Returns how many went. */
  sweep(): number {
    const current = new Set(Object.keys(LAYOUTS).map((name) => pinOf('', name as MapName).slice(1)));
    const old = readdirSync(this.#directory).filter((name) => /^[a-z_]+@\d+$/.test(name) && !current.has(name));
    // Sockets keep what they were bound to only while that map is there.
    const gone = old.filter((name) => !/^(raw_sockets|marks)@/.test(name));
    for (const name of gone) rmSync(join(this.#directory, name));
    return gone.length;
  }

  rawGeneration(sliver: number): number | undefined {
    // The programs see the packets of sockets that were made in a pod, and of no others.
    if (!this.maps.settings.get(0)?.manager) return undefined;
    const entry = this.maps.slivers.get(sliver);
    return entry && (entry.flags & SLIVER_RAW) !== 0 ? entry.generation : undefined;
  }

  markRaw(fd: number, grant: RawGrant): void {
    const generation = this.rawGeneration(grant.sliver);
    if (generation !== grant.generation) {
      throw new KernelError(`sliver ${grant.sliver} may have no raw socket of generation ${grant.generation} now`);
    }
    this.#raw.set(fd, grant);
  }

  holdRawPorts(ports: readonly { protocol: 6 | 17; port: number }[]): void {
    const { layout } = this.#rawPorts;
    const keys = new Map(ports.map((port) => [layout.key.encode(port).toString('latin1'), port]));
    const held = this.#rawPorts.read();
    for (const [key, port] of keys) if (!held.has(key)) this.#rawPorts.set(port, 1);
    this.#rawPorts.erase([...held.keys()].filter((key) => !keys.has(key)).map((key) => Buffer.from(key, 'latin1')));
  }

  drainFlows(): RawFlow[] {
    return this.flows instanceof KernelError ? [] : this.flows.flows.drain();
  }

  counters(): Map<number, SliverCounters> {
    const { counters } = this.maps;
    return new Map(counters.decode(counters.read()));
  }

  /** Everything stays attached and enforced. */
  close(): void {
    for (const object of this.#objects) object.close();
  }

  /** Takes everything out of the kernel. */
  async release(): Promise<void> {
    for (const name of this.#links.names()) this.#links.remove(name);
    if (!(this.flows instanceof KernelError)) await this.flows.links.attach(new Map());
    await unmountBpffs(this.#directory);
    this.close();
  }
}

/** Loads the programs. Throws KernelError where this kernel can't have them, with the words of who refused. */
export async function openKernel({ directory, objects, uplinksByTc = false }: KernelOptions): Promise<SliverKernel> {
  await mountBpffs(directory);
  const load = (name: string): LoadedObject =>
    loadObject(
      objects ? join(objects, `${name}.bpf.o`) : new URL(`${name}.bpf.o`, import.meta.url).pathname,
      directory,
    );
  const guard = ['packets', 'sockets'].map(load);
  let flows: LoadedObject | KernelError;
  try {
    flows = load('uplink');
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    flows = error;
  }
  return new SliverKernel(directory, guard, flows, uplinksByTc);
}

/** The id by which the kernel knows a cgroup v2 directory. */
export function cgroupId(directory: string): bigint {
  return statSync(directory, { bigint: true }).ino;
}
