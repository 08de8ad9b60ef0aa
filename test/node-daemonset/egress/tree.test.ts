import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { amounts } from '../../../crds/rspec.ts';
import { booked } from '../../../node-daemonset/admission/ledger.ts';
import { offered, policyOf } from '../../../node-daemonset/admission/policy.ts';
import { parseRate } from '../../../node-daemonset/egress/tc.ts';
import { type HtbClass, planTree, printable } from '../../../node-daemonset/egress/tree.ts';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { makeFacts, makeSliver } from '../desired.ts';

function classesOf(rate: number | undefined, slivers: Sliver[], egressLimit = 100e6): Map<number, HtbClass> {
  const { tree } = planTree({ interface: 'eth0', rate }, slivers, makeFacts({ egressLimit }));
  return new Map(tree!.classes.map((htb) => [htb.minor, htb]));
}

/** How iproute2 prints a rate (tc_print_rate). */
function printed(rate: number): string {
  let unit = 0;
  while (unit < 4 && rate >= 1000 && (rate % 1000 === 0 || rate >= 1e6)) {
    rate = Math.floor(rate / 1000);
    unit++;
  }
  return `${rate}${['', 'K', 'M', 'G', 'T'][unit]}bit`;
}

describe('the tree of an uplink', () => {
  const three = [20e6, 10e6, 5e6].map((egressGuarantee, i) =>
    makeSliver(`s${i}`, { egressGuarantee, egressLimit: 100e6 }, { classId: 0x100 + i }),
  );

  it('has the line, the node, the slivers and the exempt destinations', () => {
    const classes = classesOf(120e6, three);
    assert.deepEqual([...classes.keys()], [0x1, 0x10, 0x2, 0x20, 0x100, 0x101, 0x102]);
    assert.deepEqual([classes.get(0x10)!.rate, classes.get(0x10)!.ceil], [100e6, 100e6]);
    assert.equal(classes.get(0x2)!.rate, printable(120e6 - 100e6 - 8000));
    assert.equal(classes.get(0x2)!.ceil, 120e6);
  });

  it('shares excess in proportion to guarantees, and keeps it among the large beyond 1:346', () => {
    const quanta = [...classesOf(120e6, three).values()].slice(4).map(({ quantum }) => quantum!);
    assert.deepEqual(quanta, [12_112, 6056, 3028]);
    const tiny = [...three, makeSliver('tiny', { egressGuarantee: 5000 }, { classId: 0x200 })];
    const [a, b, c, d] = [...classesOf(120e6, tiny).values()].slice(4).map(({ quantum }) => quantum!);
    assert.deepEqual([a, b, c, d], [1024 * 1024, 512 * 1024, 256 * 1024, 1514]);
  });

  it('cuts GSO packets in every queue of a sliver and holds 100 ms of its limit', () => {
    const leaves = classesOf(120e6, [
      makeSliver('a', { egressLimit: 10e6 }),
      makeSliver('b', { egressLimit: 64e3 }, { classId: 0x102 }),
    ]);
    assert.deepEqual(leaves.get(0x101)!.leaf, { kind: 'tbf', rate: 10e9, limit: 125_000 });
    assert.deepEqual(leaves.get(0x102)!.leaf, { kind: 'tbf', rate: 10e9, limit: 16_000 });
    assert.equal(classesOf(10e9, []).get(0x2)?.leaf?.kind, 'bfifo');
  });

  it('gives a sliver without a right 64 kbit/s and next to no guarantee', () => {
    const { rate, ceil } = classesOf(120e6, [makeSliver('p', { egressGuarantee: 50e6 }, { standing: 'frozen' })]).get(
      0x101,
    )!;
    assert.deepEqual([rate, ceil], [1000, 64_000]);
  });

  it('says when guarantees do not fit any more and cuts all alike', () => {
    const { tree, problems } = planTree({ interface: 'eth0', rate: 120e6 }, three, makeFacts({ egressLimit: 17.5e6 }));
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      ['EgressOvercommitted'],
    );
    assert.deepEqual(
      tree!.classes.slice(4).map(({ rate }) => rate),
      [9999e3, 4999e3, 2499e3],
    );
  });

  it('leaves the node something of a line that the owner offers as a whole, which is no problem', () => {
    const { tree, problems } = planTree({ interface: 'eth0', rate: 100e6 }, [], makeFacts({ egressLimit: 100e6 }));
    assert.deepEqual(problems, []);
    assert.equal(tree!.classes.find(({ minor }) => minor === 0x10)!.rate, 98_992_000);
    assert.equal(tree!.classes.find(({ minor }) => minor === 0x2)!.rate, 1e6);
  });

  it('holds all that admission grants, whatever else slivers lost, and takes nothing of it for them', () => {
    const policy = policyOf({ egressLimit: '100M' });
    const offer = offered(policy, { cpuMilli: 1000, memory: 0, disk: 0, pods: 110 }, 0, 100e6).egress;
    const none = amounts({ egress: { guarantee: '0' } });
    const big = amounts({ egress: { guarantee: String(offer - booked(none).egress) } });
    const slivers = [big, none, none, none].map((of, i) =>
      makeSliver(`s${i}`, of, { classId: 0x100 + i, standing: i > 1 ? 'penalised' : 'entitled' }),
    );
    const { tree, problems } = planTree({ interface: 'eth0', rate: 100e6 }, slivers, makeFacts({ egressLimit: 100e6 }));
    assert.deepEqual(problems, []);
    const rates = tree!.classes.slice(4).map(({ rate }) => rate);
    assert.ok(rates[0]! >= (offer - 1000) * 0.999);
    assert.deepEqual(rates.slice(2), [8, 8]);
    assert.ok(rates.reduce((a, b) => a + b) <= tree!.classes.find(({ minor }) => minor === 0x10)!.rate);
  });

  it('gives each its guarantee where all that there is was granted, to the last bit', () => {
    const full = [60e6, 40e6].map((egressGuarantee, i) =>
      makeSliver(`s${i}`, { egressGuarantee, egressLimit: 100e6 }, { classId: 0x100 + i }),
    );
    const classes = classesOf(1e9, full);
    assert.deepEqual([classes.get(0x100)!.rate, classes.get(0x101)!.rate], [60e6, 40e6]);
  });

  it("keeps the owner's limit where nobody knows the line", () => {
    assert.equal(classesOf(undefined, []).get(0x10)!.ceil, 100e6);
  });

  it('never promises more than a class has', () => {
    const arbitrary = fc.array(fc.tuple(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 1e9 })), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1e6, max: 1e11 }),
        fc.integer({ min: 1e5, max: 1e11 }),
        arbitrary,
        (line, limit, rates) => {
          const slivers = rates.map(([egressGuarantee, egressLimit], i) => {
            const standing = egressLimit % 3 === 0 ? ('frozen' as const) : ('entitled' as const);
            return makeSliver(`s${i}`, { egressGuarantee, egressLimit }, { classId: 0x100 + i, standing });
          });
          const classes = [...classesOf(line, slivers, limit).values()];
          for (const parent of classes) {
            const sum = classes
              .filter((child) => child.parent === parent.minor)
              .reduce((total, { rate }) => total + rate, 0);
            assert.ok(sum <= parent.rate, `${sum} <= ${parent.rate}`);
          }
          for (const { rate, ceil, quantum } of classes) {
            assert.ok(rate >= 8 && rate <= ceil && ceil <= line);
            assert.ok(quantum === undefined || (quantum >= 1514 && quantum <= 1024 * 1024));
          }
        },
      ),
    );
  });

  it('uses only rates that tc prints without loss, and loses less than a thousandth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8000, max: 4e12 }), (rate) => {
        assert.equal(parseRate(printed(printable(rate))), printable(rate));
        assert.ok(printable(rate) <= rate && printable(rate) > rate * 0.999);
      }),
    );
  });
});
