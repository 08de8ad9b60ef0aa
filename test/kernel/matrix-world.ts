/**
 * A node on which every cell of the matrix is tried: slivers and other pods, a world that captures what comes, and the node
 * manager's own guard, ports and sockets.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RspecPort } from '../../crds/types.ts';
import type { Desired, EnforcerReport } from '../../node-daemonset/sliver.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';
import { hostSliver, icmp, podSliver, tcp, udp } from './host-sliver.ts';
import { Lines } from './lines.ts';
import { type Cell, isRaw, type Outcome, PLACES } from './matrix-cells.ts';
import { bindThere, LISTENERS, NODE, rawSockets, type Steps, stepsOf } from './matrix-steps.ts';
import { type Captured, parseCaptured } from './packets.ts';
import type { Request } from './sockets-process.ts';

const MANAGER = fileURLToPath(new URL('sockets-process.ts', import.meta.url));

/** Ports and identifiers by their owners; raw sockets have ports of their own. */
export const OWN = { host: 7000, pod: 7100, ordinary: 0 } as const;
export const ANOTHERS = 7200;
const UNOWNED = 7300;
const NODES = 7400;
/** Pods by their place; `other` is the sliver that sockets are passed to. */
const UID = {
  host: '0b5c6a1e-0000-4000-8000-00000000000a',
  pod: '0b5c6a1e-0000-4000-8000-00000000000b',
  ordinary: '0b5c6a1e-0000-4000-8000-00000000000c',
  other: '0b5c6a1e-0000-4000-8000-00000000000d',
} as const;
/** What the kernel chooses from while it is not told to choose one. */
const RANGE = '32768 60999';

/** Ports and identifiers that belong to somebody. */
export const OWNED: readonly number[] = [OWN.host, OWN.host + 1, OWN.pod, OWN.pod + 1, ANOTHERS];

const all = (port: number): RspecPort[] => [tcp(port), udp(port), icmp(port)];

export function portOf({ owner, place, kind }: Pick<Cell, 'owner' | 'place' | 'kind'>): number {
  if (owner === 'own') return OWN[place] + (kind.startsWith('raw') ? 1 : 0);
  return { "another's": ANOTHERS, unowned: UNOWNED, "the node's": NODES }[owner];
}

export class MatrixWorld {
  readonly node = new GuardedNode();
  #manager!: Lines<Request>;
  #world!: Peer;
  /** Who makes the sockets of a place, and the sliver that they are passed to. */
  readonly #makers = new Map<Cell['place'], [Peer, Peer]>();

  async start(): Promise<void> {
    const { node } = this;
    const { net } = node;
    for (const pod of Object.values(UID)) node.addPod(pod);
    net.add('pod');
    net.link(['node', 'h0', '10.78.0.1/24'], ['pod', 'eth0', '10.78.0.2/24']);
    net.ip('node', 'addr', 'add', 'fd78::1/64', 'dev', 'h0', 'nodad');
    net.ip('pod', 'addr', 'add', 'fd78::2/64', 'dev', 'eth0', 'nodad');
    net.ip('pod', 'route', 'add', 'default', 'via', '10.78.0.1');
    net.ip('pod', '-6', 'route', 'add', 'default', 'via', 'fd78::1');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    for (const name of ['node', 'pod']) net.run(name, ['sysctl', '-qw', 'net.ipv4.ping_group_range=0 65534']);
    // every refusal by the far end is told
    for (const name of ['node', 'world'])
      net.run(name, ['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0']);
    net.run(
      'node',
      ['nft', '-f', '-'],
      `table inet cni { chain post { type nat hook postrouting priority srcnat;
        oifname "upl0" ip saddr 10.78.0.0/24 masquerade; oifname "upl0" ip6 saddr fd78::/64 masquerade; }; }`,
    );
    this.#startManager();
    await this.enforce([], []);
    for (const place of PLACES) {
      const namespace = place === 'pod' ? 'pod' : 'node';
      const peers: [Peer, Peer] = [node.peer(UID[place], { namespace }), node.peer(UID.other)];
      this.#makers.set(place, peers);
      for (const peer of peers) assert.equal(await peer.ask('patience 150'), 'ok');
    }
    this.#world = node.peer(undefined, { root: true, namespace: 'world' });
    assert.equal(await this.#world.ask('capture w0'), 'ok');
    for (const [i, port] of LISTENERS.entries())
      assert.equal(await this.#world.ask(`use ${i};socket 6 stream 6;bind :: ${port};listen`), 'ok');
  }

  /** Grants ports to the sliver on the node's network and to the other one; the rest is as always. */
  async enforce(host: number[], other: number[]): Promise<void> {
    const privileges = ['RawSockets' as const];
    const desired: Desired = makeDesired(
      [
        hostSliver(UID.host, 1, { ports: host.flatMap(all), privileges }),
        podSliver(UID.pod, 2, ['10.78.0.2', 'fd78::2'], { ports: [OWN.pod, OWN.pod + 1].flatMap(all), privileges }),
        hostSliver(UID.other, 3, { ports: other.flatMap(all) }),
      ],
      { echoRate: 1000, optionRate: 1000 },
    );
    const { problems } = await this.#manager.ask<EnforcerReport>({ enforce: desired });
    assert.deepEqual(problems, []);
  }

  /**
   * What comes of each cell, by its number, and all that the world saw. Sockets that a sliver could not bind any more are
   * bound while it can, and what the kernel chooses from is one port at a time.
   */
  async tryAll(cells: readonly Cell[]): Promise<{ outcomes: Map<number, Outcome>; seen: Captured[] }> {
    const answers = new Map<number, string>();
    const lost = cells.filter(
      ({ kind, place, act }) => place === 'host' && act === 'send' && ['TCP', 'UDP'].includes(kind),
    );
    await this.enforce([OWN.host, ANOTHERS, UNOWNED, NODES], []);
    const prepared: [Cell, Steps][] = [];
    for (const cell of lost) prepared.push([cell, await this.#prepare(cell)]);
    // one that knew of them would end them; without it the programs alone keep them from sending
    await this.#restartManager();
    await this.enforce([OWN.host, OWN.host + 1], [ANOTHERS]);
    await this.#startDaemon();
    for (const [cell, steps] of prepared) answers.set(cell.number, await this.#run(cell, steps));
    await this.#makers.get('host')![0].ask('forget');
    const rest = cells.filter((cell) => !answers.has(cell.number));
    const choosing = rest.filter((cell) => cell.act === 'autobind' && !isRaw(cell));
    for (const place of ['host', 'pod'] as const) {
      const sending = rest.filter((cell) => isRaw(cell) && cell.act === 'send' && cell.place === place);
      for (const open of rawSockets(sending, portOf, this.#socket(place)))
        assert.equal(await this.#makers.get(place)![0].ask(open), 'ok', open);
    }
    await this.#runAll(
      rest.filter((cell) => !choosing.includes(cell)),
      answers,
    );
    for (const [namespace, places] of [
      ['pod', ['pod']],
      ['node', ['host', 'ordinary']],
    ] as const) {
      const here = choosing.filter(({ place }) => (places as readonly string[]).includes(place));
      for (const owner of new Set(here.map((cell) => cell.owner))) {
        const port = portOf({ owner, place: places[0], kind: 'UDP' });
        this.#choose(namespace, owner === 'unowned' ? RANGE : `${port} ${port}`);
        await this.enforce([OWN.host, OWN.host + 1], [ANOTHERS]);
        await this.#runAll(
          here.filter((cell) => cell.owner === owner),
          answers,
        );
      }
    }
    this.#choose('node', RANGE);
    const seen = await this.#captured();
    return { outcomes: new Map(cells.map((cell) => [cell.number, outcome(cell, answers, seen)])), seen };
  }

  #choose(namespace: string, range: string): void {
    this.node.net.run(namespace, ['sysctl', '-qw', `net.ipv4.ip_local_port_range=${range}`]);
  }

  /** Places do not wait for each other. */
  async #runAll(cells: readonly Cell[], answers: Map<number, string>): Promise<void> {
    await Promise.all(
      PLACES.map(async (place) => {
        for (const cell of cells.filter((one) => one.place === place)) {
          answers.set(cell.number, await this.#run(cell, stepsOf(cell, portOf(cell), this.#socket(place))));
        }
      }),
    );
  }

  /** The socket of a cell in a place of its own in the process, bound. */
  async #prepare(cell: Cell): Promise<Steps> {
    const [maker] = this.#makers.get(cell.place)!;
    const use = `use ${++this.#used}`;
    const { before, steps } = bindThere(cell, portOf(cell));
    const answer = await maker.ask([use, ...before.slice(1)].join(';'));
    assert.equal(answer, 'ok', JSON.stringify(cell));
    return { make: [use], act: steps };
  }
  #used = 0;

  async #run({ kind, place, means }: Cell, { make, act }: Steps): Promise<string> {
    const [maker, other] = this.#makers.get(place)!;
    if (means !== 'passed') return await maker.ask([...make, ...act].join(';'));
    const made = await maker.ask(make.join(';'));
    if (made !== 'ok') return made;
    await this.node.pass(maker, other);
    const answer = await other.ask(act.join(';'));
    await other.ask('close');
    if (!kind.startsWith('raw')) await maker.ask('close');
    return answer;
  }

  /** The node's own server on each protocol, which a stranger's socket must not disturb. */
  async #startDaemon(): Promise<void> {
    const daemon = this.node.peer(undefined);
    const on = async (...commands: string[]): Promise<void> => assert.equal(await daemon.ask(commands.join(';')), 'ok');
    const bind = ['option reuseaddr 1', `bind :: ${NODES}`];
    await on('use 0', 'socket 6 stream 6', ...bind, 'listen');
    await on('use 1', 'socket 6 dgram 17', ...bind);
    await on('use 2', 'socket 6 dgram 58', ...bind);
    await on('use 3', 'socket 4 dgram 1', 'option reuseaddr 1', `bind 0.0.0.0 ${NODES}`);
  }

  /** Everything that came out of the node until now: the last packet of it is one that may come. */
  async #captured(): Promise<Captured[]> {
    const marker = 19_999;
    const [, other] = this.#makers.get('host')!;
    assert.equal(await other.ask(`socket 4 dgram 17;bind ${NODE[4]} ${ANOTHERS};sendto 10.77.0.2 ${marker} 00`), 'ok');
    const seen: Captured[] = [];
    for (let left = 200; !seen.some((one) => one.destinationPort === marker); left--) {
      assert.notEqual(left, 0, 'the marker never came');
      seen.push(...parseCaptured(await this.#world.ask('captured')));
    }
    return seen;
  }

  #socket(place: Cell['place']): string {
    return join(this.node.directory, 'slivers', UID[place], 'sockets');
  }

  async #restartManager(): Promise<void> {
    const { child } = this.#manager;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    this.#startManager();
  }

  #startManager(): void {
    const { node } = this;
    const into = `echo $$ > ${node.cgroup('manager')}/cgroup.procs && exec "$@"`;
    const argv = ['sh', '-c', into, 'sh', process.execPath, MANAGER];
    this.#manager = new Lines(node.net.spawn('node', argv, { stdio: ['pipe', 'pipe', 'inherit'] }));
    // .../<prefix>/kubepods/burstable/pod<uid>
    const prefix = basename(dirname(dirname(dirname(node.cgroup(UID.host)))));
    const setup = {
      root: join(node.directory, 'slivers'),
      registryFile: join(node.directory, 'raw.json'),
      portsFile: join(node.directory, 'reserved.json'),
      guard: { prefix, directory: join(node.directory, 'bpf') },
    };
    void this.#manager.ask({ setup });
  }
}

/** The number of the cell that sent it. */
export function cellOf({ protocol, destinationPort, payload }: Captured): number | undefined {
  if (protocol === 6 && destinationPort >= 20_000) return destinationPort - 20_000;
  const tag = /c0de([\da-f]{4})c0de/.exec(payload)?.[1];
  return tag === undefined ? undefined : Number.parseInt(tag, 16);
}

/** A connection that was answered, by whatever, was let pass; one that was not may have been sent all the same. */
function outcome(cell: Cell, answers: ReadonlyMap<number, string>, seen: readonly Captured[]): Outcome {
  const answer = answers.get(cell.number)!;
  const leaves = cell.act === 'send' || (cell.act === 'autobind' && !isRaw(cell));
  if (leaves && ['ok', 'ECONNREFUSED', 'EINPROGRESS'].includes(answer))
    return seen.some((one) => cellOf(one) === cell.number) ? 'allowed' : 'silent';
  if (answer === 'EINPROGRESS') return 'silent';
  return answer === 'ok' || answer === 'ECONNREFUSED' ? 'allowed' : { refused: answer };
}
