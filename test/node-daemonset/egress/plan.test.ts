import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { exemptClass } from '../../../node-daemonset/egress/names.ts';
import { planEgress } from '../../../node-daemonset/egress/plan.ts';
import type { Desired } from '../../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../desired.ts';
import { KernelModel } from './kernel-model.ts';

const uplinksOf = ({ facts }: Desired): { interface: string; rate: number | undefined }[] => facts.lines;

const arbitraryDesired = fc
  .record({
    line: fc.integer({ min: 2e6, max: 2e9 }),
    egressLimit: fc.integer({ min: 1e6, max: 1e9 }),
    device: fc.constantFrom('eth0', 'eth1'),
    exempt: fc.uniqueArray(
      fc.constantFrom('192.0.2.0/24', '192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::/0', '0.0.0.0/0'),
    ),
    exemptLimit: fc.option(fc.integer({ min: 1e4, max: 3e9 }), { nil: undefined }),
    slivers: fc.uniqueArray(
      fc.record({
        id: fc.integer({ min: 0, max: 9 }),
        guarantee: fc.integer({ min: 5000, max: 300e6 }),
        more: fc.integer({ min: 0, max: 300e6 }),
        standing: fc.constantFrom('entitled' as const, 'penalised' as const),
        address: fc.boolean(),
        budget: fc.option(fc.integer({ min: 5000, max: 1e9 }), { nil: undefined }),
      }),
      { selector: ({ id }) => id, maxLength: 8 },
    ),
  })
  .map(({ line, egressLimit, device, exempt, exemptLimit, slivers }) =>
    makeDesired(
      slivers.map(({ id, guarantee, more, standing, address, budget }) =>
        makeSliver(
          `s${id}`,
          { egressGuarantee: guarantee, egressLimit: guarantee + more },
          {
            classId: 0x100 + id,
            standing,
            budgetLimit: budget,
            exemptBudgetLimit: budget,
            addresses: address ? [`10.0.0.${id}`, `fd00::${id + 1}`] : [],
          },
        ),
      ),
      {
        lines: [{ interface: device, rate: line }],
        egressLimit,
        exempt: { destinations: exempt, limit: exemptLimit },
      },
    ),
  );

/** Children never hold more than their parent, nor may send more: on every uplink, at this instant. */
function assertSums(kernel: KernelModel): void {
  for (const { classes } of kernel.observe().lines.values()) {
    for (const parent of classes.values()) {
      const children = [...classes.values()].filter((child) => child.parent === parent.minor);
      const sum = children.reduce((total, child) => total + child.rate, 0);
      assert.ok(sum <= parent.rate, `1:${parent.minor.toString(16)} has ${parent.rate}, its children ${sum}`);
    }
    for (const htb of classes.values()) assert.ok(htb.rate <= htb.ceil);
  }
}

describe('the plan of egress', () => {
  it('converges from anywhere after a crash anywhere, and never over-commits a class on the way', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(arbitraryDesired, fc.nat(30)), { minLength: 1, maxLength: 4 }), (history) => {
        const kernel = new KernelModel('eth0', 'eth1');
        for (const [desired, crash] of history) {
          const check = (): void => assertSums(kernel);
          kernel.apply(planEgress(kernel.observe(), uplinksOf(desired), desired), crash, check);
        }
        const [last] = history.at(-1)!;
        kernel.apply(planEgress(kernel.observe(), uplinksOf(last), last), Infinity, () => assertSums(kernel));
        const again = planEgress(kernel.observe(), uplinksOf(last), last);
        assert.deepEqual([again.before, again.tc, again.after], [[], [], []]);
        const { lines, table } = kernel.observe();
        for (const sliver of last.slivers) {
          const { classes } = lines.get(last.facts.lines[0]!.interface)!;
          assert.ok(classes.has(sliver.classId));
          const exempted = last.facts.exempt.destinations.length > 0;
          assert.equal(classes.has(exemptClass(sliver.classId)), exempted);
          assert.equal(table.exempt.classes.has(sliver.classId), exempted);
          const { ceil, rate } = classes.get(sliver.classId)!;
          assert.ok(ceil <= Math.max(rate, sliver.budgetLimit ?? Infinity), 'a budget lowers the limit');
          for (const address of sliver.addresses) {
            assert.equal(table.maps[address.includes(':') ? 'v6' : 'v4'].get(`"pod0" . ${address}`), sliver.classId);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('lets no two slivers have one class, and no two one address', () => {
    const slivers = [
      makeSliver('a', {}, { classId: 0x101, addresses: ['10.0.0.1', 'not an address', '10.0.0.9; flush ruleset'] }),
      makeSliver('b', {}, { classId: 0x101 }),
      makeSliver('c', {}, { classId: 0x102, addresses: ['10.0.0.1'] }),
      makeSliver('d', {}, { classId: 0x10 }),
    ];
    const kernel = new KernelModel('eth0');
    const plan = planEgress(
      kernel.observe(),
      [{ interface: 'eth0', rate: 100e6 }],
      makeDesired(slivers, { egressLimit: 50e6 }),
    );
    kernel.apply(plan);
    assert.deepEqual(
      plan.problems.map(({ sliver, reason }) => [sliver, reason]),
      [
        ['a', 'AddressInvalid'],
        ['a', 'AddressInvalid'],
        ['b', 'EgressClassTaken'],
        ['c', 'AddressTaken'],
        ['d', 'EgressClassInvalid'],
      ],
    );
    assert.deepEqual([...kernel.observe().table.maps.v4], [['"pod0" . 10.0.0.1', 0x101]]);
  });

  it("leaves a foreign root alone while it shapes the node's other uplink", () => {
    const kernel = new KernelModel('eth0', 'eth1');
    const observed = kernel.observe();
    observed.lines.get('eth0')!.root = 'foreign';
    const uplinks = ['eth0', 'eth1'].map((name) => ({ interface: name, rate: 200e6 }));
    const plan = planEgress(observed, uplinks, makeDesired([makeSliver('a')]));
    assert.ok(plan.tc.every(({ dev }) => dev === 'eth1') && plan.tc.length > 0);
    assert.deepEqual(
      plan.problems.map(({ reason }) => reason),
      ['UplinkBusy'],
    );
  });

  it('takes one address for the same in every spelling', () => {
    const sliver = makeSliver('a', {}, { addresses: ['FD00:0::0001'] });
    const kernel = new KernelModel('eth0');
    const uplinks = [{ interface: 'eth0', rate: 200e6 }];
    kernel.apply(planEgress(kernel.observe(), uplinks, makeDesired([sliver])));
    assert.deepEqual([...kernel.observe().table.maps.v6], [['"pod0" . fd00::1', 0x101]]);
    assert.deepEqual(planEgress(kernel.observe(), uplinks, makeDesired([sliver])).after, []);
  });
});
