import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  SLIVER_ENDED,
  SLIVER_HOST,
  SLIVER_RAW,
  SLIVER_READY,
  type SliverEntry,
} from '../../../node-daemonset/bpf/layout.ts';
import {
  firstGeneration,
  type GuardInput,
  generationOf,
  NOBODY,
  planGuard,
} from '../../../node-daemonset/guard/plan.ts';
import { MAX_TOMBSTONES, TOMBSTONE_MS } from '../../../node-daemonset/guard/tombstones.ts';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { hostSliver, icmp, podSliver, tcp, udp } from '../../kernel/host-sliver.ts';
import { makeDesired } from '../desired.ts';

const SETTINGS = { kubepods: 1n, manager: 2n, netns: 3n, firstPort: 32768, lastPort: 60999 };
const NOW = 1_800_000_000_000;

function input(slivers: Sliver[], given: Partial<GuardInput> = {}): GuardInput {
  return {
    observed: { cgroups: [], slivers: [], ports: [] },
    desired: makeDesired(slivers, { echoRate: 5, optionRate: 6 }),
    settings: SETTINGS,
    cgroupIds: new Map(slivers.map(({ id, number }) => [id, BigInt(1000 + number)])),
    nodeAddresses: ['10.0.0.1', 'fd00::1'],
    broadcastAddresses: [],
    barred: [],
    tombstones: new Map(),
    endedDrops: new Map(),
    now: NOW,
    ...given,
  };
}

const a = hostSliver('a', 1, { ports: [tcp(80), icmp(7)], privileges: ['RawSockets'] });
const b = podSliver('b', 2, ['10.1.0.2', 'fd01::2', 'no address'], { ports: [udp(80)] });

describe('the plan of the guard', () => {
  it('says of each sliver what is its own', () => {
    const { state, tombstones } = planGuard(input([a, b]));
    const rest = { generation: firstGeneration(NOW), echoRate: 5, optionRate: 6 };
    assert.deepEqual(state.slivers, [
      [1, { flags: SLIVER_READY | SLIVER_HOST | SLIVER_RAW, priority: 0x10101, ...rest }],
      [2, { flags: SLIVER_READY, priority: 0x10102, ...rest }],
    ]);
    assert.deepEqual(state.cgroups, [
      [1001n, 1],
      [1002n, 2],
    ]);
    assert.deepEqual(state.ports, [
      [{ protocol: 6, port: 80 }, 1],
      [{ protocol: 1, port: 7 }, 1],
      [{ protocol: 17, port: 80 }, 2],
    ]);
    assert.deepEqual(
      state.addresses.map(([{ sliver, address }]) => [sliver, address]),
      [
        [0, '10.0.0.1'],
        [0, 'fd00::1'],
        [2, '10.1.0.2'],
        [2, 'fd01::2'],
      ],
    );
    assert.deepEqual(state.classes, [
      [0x10101, 1],
      [0x10102, 2],
    ]);
    assert.deepEqual(
      [state.counters, state.buckets, state.openSockets],
      [
        [0, 1, 2],
        [1, 2],
        [1, 2],
      ],
    );
    assert.deepEqual(state.settings, [[0, { ...SETTINGS, sockets: 14_116 }]]);
    assert.equal(tombstones.size, 0);
  });

  it('has the prefixes of exempt destinations, by family', () => {
    const exempt = { destinations: ['192.0.2.0/24', '192.0.2.7', '2001:db8::/32', '::/0'], limit: undefined };
    const { state } = planGuard(input([], { desired: makeDesired([], { exempt }) }));
    assert.deepEqual(
      state.exempt.map(([key]) => key),
      [
        { family: 6, address: '::', bits: 0 },
        { family: 4, address: '192.0.2.0', bits: 120 },
      ],
    );
  });

  it("gives half of the ports that the kernel chooses from to the slivers on the node's network, in equal parts", () => {
    const hosts = [1, 2, 3, 4].map((n) => hostSliver(`h${n}`, n));
    assert.equal(planGuard(input([...hosts, b])).state.settings[0]![1].sockets, 3529);
  });

  it('says what reaches the node besides its addresses, and by what nothing may leave', () => {
    const { state } = planGuard(input([], { broadcastAddresses: ['10.0.0.255'], barred: [7] }));
    assert.deepEqual(state.addresses.at(-1), [{ sliver: 0, address: '10.0.0.255' }, 2]);
    assert.deepEqual(state.barred, [[7, 1]]);
  });

  it('knows whose the second classes are, where there are exempt destinations', () => {
    const exempt = { destinations: ['192.0.2.0/24'], limit: undefined };
    const { state } = planGuard(input([a], { desired: makeDesired([a], { exempt }) }));
    assert.deepEqual(state.classes, [
      [0x10101, 1],
      [0x18101, 1],
    ]);
  });

  it('lets nothing leave from a pod whose address or class is not known', () => {
    const { state } = planGuard(
      input([
        { ...b, addresses: [] },
        { ...a, classId: 1 },
      ]),
    );
    assert.deepEqual(
      state.slivers.map(([, { flags }]) => flags & SLIVER_READY),
      [0, 0],
    );
  });

  it('keeps a granted port that has no pod yet from everybody', () => {
    const desired = { ...makeDesired([b]), ports: [tcp(443), udp(80)] };
    assert.deepEqual(planGuard(input([b], { desired })).state.ports, [
      [{ protocol: 6, port: 443 }, NOBODY],
      [{ protocol: 17, port: 80 }, 2],
    ]);
  });

  it('takes ports and raw sockets from a penalised sliver, and everything from a frozen one', () => {
    const { state } = planGuard(input([{ ...a, standing: 'penalised' }]));
    assert.deepEqual([state.ports, state.slivers[0]![1].flags], [[], SLIVER_READY | SLIVER_HOST]);
    const frozen = planGuard(input([{ ...a, standing: 'frozen' }])).state;
    assert.ok(frozen.slivers[0]![1].flags & SLIVER_ENDED);
  });

  it('gives a right to raw sockets that was lost another generation when it comes back', () => {
    const entry = (flags: number, generation: number): SliverEntry => ({
      ...{ flags, generation },
      ...{ priority: 0, echoRate: 0, optionRate: 0 },
    });
    assert.equal(generationOf(undefined, true, 9), 9);
    assert.equal(generationOf(entry(SLIVER_RAW, 4), true, 9), 4);
    assert.equal(generationOf(entry(SLIVER_RAW, 4), false, 9), 5);
    assert.equal(generationOf(entry(0, 5), true, 9), 5);
    assert.equal(generationOf(entry(SLIVER_RAW, 0xffff_ffff), false, 9), 1);
  });

  it('gives it another one also when a port was lost, and when all was forgotten', () => {
    const generation = (one: Sliver, given: Partial<GuardInput>): number =>
      planGuard(input([one], given)).state.slivers[0]![1].generation;
    const before = planGuard(input([a])).state;
    const first = firstGeneration(NOW);
    assert.equal(generation(a, { observed: before }), first);
    const less = { ...a, amounts: { ...a.amounts, ports: [icmp(7)] } };
    assert.equal(generation(less, { observed: before }), first + 1);
    assert.equal(generation(less, { observed: planGuard(input([less], { observed: before })).state }), first + 1);
    assert.ok(generation(a, { now: NOW + 5000 }) > first);
  });

  it('turns a sliver that is gone into a tombstone, which keeps its cgroup and nothing else', () => {
    const before = planGuard(input([a, b])).state;
    const { state, tombstones } = planGuard(input([b], { observed: before }));
    const [number, entry] = state.slivers[1]!;
    assert.deepEqual([number, entry.flags & (SLIVER_ENDED | SLIVER_RAW)], [1, SLIVER_ENDED]);
    assert.ok(state.cgroups.some(([id, of]) => id === 1001n && of === 1));
    assert.ok(!state.ports.some(([, of]) => of === 1) && !state.classes.some(([, of]) => of === 1));
    assert.deepEqual([state.counters, state.buckets], [[0, 2, 1], [2]]);
    assert.deepEqual(tombstones.get(1), { since: NOW, drops: 0 });
  });

  it('forgets a tombstone when nothing came from it for long enough', () => {
    const before = planGuard(input([a])).state;
    const at = (now: number, since: number, drops: number): number =>
      planGuard(
        input([], {
          ...{ observed: before, now, tombstones: new Map([[1, { since, drops: 3 }]]) },
          endedDrops: new Map([[1, drops]]),
        }),
      ).state.slivers.length;
    assert.equal(at(NOW + TOMBSTONE_MS - 1, NOW, 3), 1);
    assert.equal(at(NOW + TOMBSTONE_MS, NOW, 3), 0);
    assert.equal(at(NOW + TOMBSTONE_MS, NOW, 4), 1, 'it still sends');
    assert.equal(at(NOW, NOW + TOMBSTONE_MS, 3), 1, 'a clock that was set back');
  });

  it('keeps no more tombstones than it may, the youngest', () => {
    const entry = planGuard(input([a])).state.slivers[0]![1];
    const many = Array.from({ length: MAX_TOMBSTONES + 2 }, (_, i): [number, SliverEntry] => [i + 1, entry]);
    const since = new Map(many.map(([number]) => [number, { since: NOW - number, drops: 0 }]));
    const { state, tombstones } = planGuard(
      input([], { observed: { cgroups: [], slivers: many, ports: [] }, tombstones: since }),
    );
    assert.equal(state.slivers.length, MAX_TOMBSTONES);
    assert.equal(tombstones.size, MAX_TOMBSTONES);
    assert.ok(!tombstones.has(MAX_TOMBSTONES + 2) && tombstones.has(1));
  });

  it('comes to rest: planned again from what it planned, it says the same', () => {
    const standing = fc.constantFrom('entitled' as const, 'penalised' as const, 'frozen' as const);
    const sliver = fc.record({
      number: fc.integer({ min: 1, max: 9 }),
      standing,
      raw: fc.boolean(),
      host: fc.boolean(),
    });
    const some = fc.uniqueArray(sliver, { selector: ({ number }) => number }).map((all) =>
      all.map(({ number, standing: at, raw, host }) => {
        const amounts = { ports: [tcp(100 + number)], privileges: raw ? ['RawSockets' as const] : [] };
        const made = host ? hostSliver : (id: string, n: number, of: object) => podSliver(id, n, [`10.0.1.${n}`], of);
        return { ...made(`p${number}`, number, amounts), standing: at };
      }),
    );
    fc.assert(
      fc.property(some, some, (first, second) => {
        const one = planGuard(input(first));
        const two = planGuard(input(second, { observed: one.state, tombstones: one.tombstones }));
        const three = planGuard(input(second, { observed: two.state, tombstones: two.tombstones }));
        const sorted = (entries: readonly (readonly [unknown, unknown])[]): string[] =>
          entries
            .map((entry) => JSON.stringify(entry, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)))
            .sort();
        assert.deepEqual(sorted(three.state.slivers), sorted(two.state.slivers));
        assert.deepEqual(sorted(three.state.cgroups), sorted(two.state.cgroups));
        const ids = new Set(second.map(({ number }) => number));
        for (const [number, { flags }] of two.state.slivers) if (!ids.has(number)) assert.ok(flags & SLIVER_ENDED);
      }),
    );
  });
});
