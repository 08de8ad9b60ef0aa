import assert from 'node:assert/strict';
import type { ResourceCapability, Rspec } from '../../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { planStandings, whyNot } from '../../../node-daemonset/standing.ts';
import { planCapabilityStatus } from '../../../node-daemonset/report/capability.ts';
import { Statuses } from '../../../node-daemonset/report/statuses.ts';
import type { StatusReport } from '../../../node-daemonset/report/reporter.ts';
import { admit, edited, granted, NODE, NOW, pod, right, shares } from '../rights.ts';

const DAY = 86_400_000;
const at = (days: number): string => new Date(NOW + days * DAY).toISOString();

/** 1 Mbit/s and some CPU: the default guarantee would be all that a right has by default. */
function some(count: number, more: Rspec = {}): Rspec {
  return { cpu: { shares: count }, egress: { guarantee: '1M', limit: '10M' }, ...more };
}

const WHOLE: Rspec = {
  cpu: { shares: 400 },
  egress: { guarantee: '20M', limit: '50M' },
  ports: [5001, 5002].map((port) => ({ protocol: 'TCP', port })),
};
const whole = (spec: Partial<ResourceCapability['spec']> = {}): ResourceCapability =>
  right('a', WHOLE, { window: { end: at(10) }, ...spec });
const within = { window: { end: at(10) } };
const part = (uid: string, resources: Rspec, spec: Partial<ResourceCapability['spec']> = {}): ResourceCapability =>
  right(uid, resources, { from: 'right-a', ...within, ...spec }, { creationTimestamp: '2026-10-02T00:00:00Z' });

const entryOf = (ledger: Ledger, uid: string) => ledger.entries.find((entry) => entry.uid === uid);

const REFUSED: [string, ResourceCapability, string, RegExp, Rspec?][] = [
  [
    'more than is left of it, and says how much that is and until when',
    part('c', some(300)),
    'InsufficientShares',
    /^asks 300, 280 of 400 of team\/right-a free until 2026-11-06T00:00:00Z$/,
  ],
  [
    'a longer window',
    part('c', some(1), { window: { end: at(11) } }),
    'OutsideParent',
    /^team\/right-a holds until 2026-11-11T00:00:00Z: the window must lie within that$/,
  ],
  ['a window without end', part('c', some(1), { window: {} }), 'OutsideParent', /must lie within/],
  [
    'a port that it does not have',
    part('c', some(1, { ports: [{ protocol: 'UDP', port: 5001 }] })),
    'OutsideParent',
    /does not have port UDP 5001/,
  ],
  [
    'a port that another part has',
    part('c', some(1, { ports: [{ protocol: 'TCP', port: 5001 }] })),
    'PortInUse',
    /TCP.*5001 belongs to team\/right-b/,
  ],
  [
    'a higher limit',
    part('c', { egress: { limit: '51M' } }),
    'OutsideParent',
    /egress limit of 50 Mbit.s, and the part one of 51 Mbit.s$/,
  ],
  ['a privilege', part('c', some(1, { privileges: ['RawSockets'] })), 'OutsideParent', /the privilege RawSockets/],
  ['disk where it has none', part('c', some(1, { disk: '1Gi' })), 'OutsideParent', /no disk reserved/],
  [
    'memory beyond its own',
    part('c', some(1, { memory: '2Gi' })),
    'InsufficientMemory',
    /asks 2 GiB, 1 GiB of 1 GiB/,
    { memory: '1Gi' },
  ],
  ['no limit of memory where it has one', part('c', some(1)), 'OutsideParent', /a limit of memory/, { memory: '1Gi' }],
  ['no limit of disk where it has one', part('c', some(1)), 'OutsideParent', /a limit of disk/, { disk: '1Gi' }],
  ['what is not there', part('c', some(1), { from: 'right-x' }), 'NoParent', /holds no right right-x on this node/],
  ['itself', part('c', some(1), { from: 'right-c' }), 'NoParent', /right-c/],
];

describe('a split', () => {
  const first = part('b', some(120, { ports: [{ protocol: 'TCP', port: 5001 }] }), { window: { end: at(5) } });

  for (const [what, rcap, reason, message, more] of REFUSED) {
    it(`refuses ${what}`, () => {
      const held = more ? [whole({ resources: { ...WHOLE, ...more } })] : [whole(), first];
      const { ledger } = admit(granted(...held), [...held, rcap]);
      assert.equal(entryOf(ledger, 'c')?.grant, undefined);
      assert.equal(entryOf(ledger, 'c')?.refusal?.reason, reason);
      assert.match(entryOf(ledger, 'c')!.refusal!.message, message);
    });
  }

  it('of another namespace’s right is of none: a name proves nothing', () => {
    const foreign = part('c', some(1), {});
    foreign.metadata.namespace = 'lab';
    const { ledger } = admit(granted(whole()), [whole(), foreign]);
    assert.match(entryOf(ledger, 'c')!.refusal!.message, /^namespace lab holds no right right-a/);
  });

  it('takes nothing from the node but a pod, and nothing from its namespace’s budget', () => {
    const spec = { shares: 400, budget: { shares: 400, ports: 2, pending: 9 } };
    const { ledger } = admit(EMPTY_LEDGER, [whole(), first], { spec });
    assert.equal(entryOf(ledger, 'b')!.grant?.parent, 'a');
    const full = admit(EMPTY_LEDGER, [whole(), first], { spec: { ...spec, pods: 1 } }).ledger;
    assert.equal(entryOf(full, 'b')!.refusal!.reason, 'InsufficientPods');
  });

  it('is answered after what it is split from, whatever the order and the age', () => {
    const older = { ...first, metadata: { ...first.metadata, creationTimestamp: '2020-01-01T00:00:00Z' } };
    assert.ok(entryOf(admit(EMPTY_LEDGER, [older, whole()]).ledger, 'b')!.grant);
    const { ledger } = admit(EMPTY_LEDGER, [older, whole()], { turns: () => 0 });
    assert.deepEqual(ledger.entries, [], 'it waits when the other has to wait');
  });

  it('leaves its parent the rest, only while it holds, and none of its ports', () => {
    const later = part('b', first.spec.resources!, { window: { start: at(1), end: at(2) } });
    const ledger = granted(whole(), later);
    const holder = pod('pod-a', whole());
    const amountsAt = (days: number) => planStandings([holder], ledger, [], NOW + days * DAY).slivers[0]!.amounts;
    assert.equal(amountsAt(0).shares, 400);
    assert.equal(amountsAt(1).shares, 280);
    assert.equal(amountsAt(1).egressGuarantee, 19_000_000);
    assert.deepEqual(amountsAt(1).ports, [{ protocol: 'TCP', port: 5002 }]);
    assert.equal(amountsAt(2).shares, 400);
  });

  it('that leaves nothing takes the right from the parent’s sliver, which is held down like any without one', () => {
    const all = part('b', { cpu: { shares: 400 }, egress: { guarantee: '1M', limit: '10M' } });
    const ledger = granted(whole(), all);
    const parts = ledger.entries.flatMap(({ grant }) => (grant?.parent === 'a' ? [grant] : []));
    assert.equal(whyNot(entryOf(ledger, 'a'), [], NOW, [], parts), 'GivenAway');
    const { slivers } = planStandings([pod('pod-a', whole())], ledger, [], NOW);
    assert.equal(slivers[0]!.standing, 'penalised');
    const memory = part('b', some(1, { memory: '1Gi' }));
    const remembering = whole({ resources: { ...WHOLE, memory: '1Gi' } });
    const { slivers: others } = planStandings([pod('pod-a', remembering)], granted(remembering, memory), [], NOW);
    assert.equal(others[0]!.standing, 'penalised', 'without any memory nothing runs');
  });

  it('changes a record only when what is left changes', () => {
    const ledger = granted(whole(), first);
    const once = planStandings([pod('pod-a', whole())], ledger, [], NOW).pods;
    const again = planStandings(once, ledger, [], NOW + 1000).pods;
    assert.equal(again[0], once[0]);
  });

  it('gives back what it took when it is released', () => {
    const before = granted(whole(), first);
    const { ledger } = admit(before, [whole()]);
    const second = part('c', some(300));
    assert.equal(entryOf(admit(ledger, [whole(), second]).ledger, 'c')!.grant?.amounts.shares, 300);
  });

  it('outlives its parent when that is released: then it is of what that was of, in the end of the node', () => {
    const inner = part('c', some(20), { from: 'right-b', window: { end: at(5) } });
    const all = [whole(), first, inner];
    const before = granted(...all);
    assert.equal(entryOf(before, 'c')!.grant!.parent, 'b');
    const middleGone = admit(before, [whole(), inner]).ledger;
    assert.equal(entryOf(middleGone, 'c')!.grant!.parent, 'a');
    const alone = admit(middleGone, [inner]).ledger;
    assert.equal(entryOf(alone, 'c')!.grant!.parent, undefined);
    const { ledger } = admit(alone, [inner, right('d', shares(881))]);
    assert.match(entryOf(ledger, 'd')!.refusal!.message, /^asks 881, 880 of 900 free until/);
    const renewed = admit(alone, [edited(inner, { resources: some(30) })]).ledger;
    assert.equal(entryOf(renewed, 'c')!.grant?.amounts.shares, 30, 'and is renewed as such');
  });

  it('ends with its parent’s window at the latest', () => {
    const same = part('b', some(10));
    const { ledger } = admit(granted(whole(), same), undefined, { now: NOW + 10 * DAY });
    for (const uid of ['a', 'b']) assert.equal(entryOf(ledger, uid)!.refusal?.reason, 'Expired');
  });

  it('keeps its parent from becoming less than what was split from it', () => {
    const smaller = edited(whole(), { resources: { ...WHOLE, cpu: { shares: 119 } } });
    const shorter = edited(whole(), { window: { end: at(4) } });
    for (const [parent, message] of [
      [smaller, /^asks 119, and 120 of it are split off until 2026-11-06T00:00:00Z$/],
      [shorter, /^team\/right-b was split from it: as asked, it holds until 2026-11-05T00:00:00Z/],
    ] as const) {
      const entry = entryOf(admit(granted(whole(), first), [parent, first]).ledger, 'a')!;
      assert.equal(entry.refusal?.reason, 'GivenAway');
      assert.match(entry.refusal.message, message);
      assert.equal(entry.grant?.amounts.shares, 400);
    }
    const larger = edited(whole(), { resources: { ...WHOLE, cpu: { shares: 120 } } });
    assert.equal(entryOf(admit(granted(whole(), first), [larger, first]).ledger, 'a')!.grant?.amounts.shares, 120);
  });

  it('stays split from what it was split from', () => {
    for (const from of [undefined, 'right-z']) {
      const entry = entryOf(admit(granted(whole(), first), [whole(), edited(first, { from })]).ledger, 'b')!;
      assert.match(entry.refusal!.message, /spec.from was right-a when it was granted and stays so/);
      assert.equal(entry.grant!.parent, 'a');
    }
  });

  it('is told in the statuses of both, and found there when the ledger is lost', () => {
    const reports: StatusReport[] = [];
    const statuses = new Statuses({ report: (_key, wanted) => void reports.push(wanted), keep: () => undefined });
    const rcaps = [whole(), first];
    const ledger = granted(...rcaps);
    const outcome = { rcaps, ledger, pods: [], problems: [], blackouts: [], holds: [], now: NOW };
    statuses.enforced(outcome, true);
    const [parent, child] = reports.map(({ status }) => status as NonNullable<ResourceCapability['status']>);
    assert.equal(parent!.granted!.resources.cpu!.shares, 400);
    assert.equal(parent!.granted!.left!.cpu!.shares, 280);
    assert.equal(child!.granted!.from, 'team/right-a');
    assert.equal(child!.granted!.left, undefined);

    const told = [
      { ...whole(), status: parent! },
      { ...first, status: child! },
    ];
    const rebuilt = admit(EMPTY_LEDGER, told);
    assert.deepEqual(
      rebuilt.decisions.map(({ uid, reason }) => [uid, reason]),
      [
        ['a', 'Recovered'],
        ['b', 'Recovered'],
      ],
    );
    assert.equal(entryOf(rebuilt.ledger, 'b')!.grant!.parent, 'a');
  });

  it('says so where nothing is left', () => {
    const entry = entryOf(granted(whole()), 'a')!;
    const split = { left: undefined, from: undefined };
    const facts = { rcap: whole(), entry, nodeUID: NODE.uid, pod: pod('p', whole()), problems: [], now: NOW };
    const status = planCapabilityStatus({ ...facts, whyNot: 'GivenAway', split });
    assert.equal(status.granted!.givenAway, true);
    const ready = status.conditions!.find(({ type }) => type === 'Ready')!;
    assert.equal(ready.reason, 'GivenAway');
    assert.match(ready.message, /split from the right/);
  });
});
