import assert from 'node:assert/strict';
import { API_VERSION } from '../../../crds/names.ts';
import type { ResourceCapability, Restraint, RestraintSpec } from '../../../crds/types.ts';
import { isSuspended, restraintsOn, shown, told } from '../../../operator/restraint/applied.ts';
import { planNodeRestraints } from '../../../operator/restraint/nodes.ts';
import { restraintCritic } from '../../../operator/restraint/wrong.ts';
import { planPods } from '../../../operator/slice/plan/pods.ts';
import { aNode, aRight, aSlice, granted, NOW, planWhole, running } from '../slice/objects.ts';

function restraint(name: string, spec: Partial<RestraintSpec> = {}, metadata = {}): Restraint {
  return {
    apiVersion: API_VERSION,
    kind: 'Restraint',
    metadata: { name, uid: `uid-of-${name}`, ...metadata },
    spec: { namespace: 'site', slice: 'web', reason: `${name} says so`, ...spec },
  };
}

function boundTo({ status }: ResourceCapability, sliceName: string): ResourceCapability['status'] {
  return { ...status, granted: { ...status!.granted!, sliceName } };
}

const names = (restraints: readonly Restraint[]) => restraints.map(({ metadata }) => metadata.name);

describe('restraints on a slice', () => {
  const all = [
    restraint('slow', { egressLimit: '1M' }),
    restraint('zoo', { suspended: true }),
    restraint('all', { suspended: true, slice: undefined }),
    restraint('other', { suspended: true, slice: 'db' }),
    restraint('elsewhere', { suspended: true, namespace: 'lab' }),
    restraint('empty'),
    restraint('going', { suspended: true }, { deletionTimestamp: 'now' }),
  ];

  it('are those about it or all of its namespace, suspenders first', () => {
    assert.deepEqual(names(restraintsOn(all, 'site', 'web')), ['all', 'zoo', 'slow']);
    assert.deepEqual(names(restraintsOn(all, 'site', 'new')), ['all']);
    assert.deepEqual(names(restraintsOn(all, 'lab', 'db')), []);
  });

  it('are ORed: any one suspends, and taking one away frees from that one alone', () => {
    const on = restraintsOn(all, 'site', 'web');
    assert.ok(isSuspended(on) && isSuspended(on.slice(1)));
    assert.ok(!isSuspended(on.slice(2)));
  });

  it('are told with their reasons', () => {
    const [one] = shown([restraint('slow', { egressLimit: '1M', contact: 'noc@example.org' })]);
    assert.deepEqual(one, { name: 'slow', egressLimit: '1M', reason: 'slow says so', contact: 'noc@example.org' });
    assert.equal(told(restraint('a', { contact: 'b@c' })), 'Restraint a (b@c): a says so');
    assert.equal(shown(Array.from({ length: 20 }, (_, i) => restraint(`r${i}`))).length, 8);
  });

  it('take the pods and keep the rights, whatever the spec says, and name each suspender', () => {
    const restraints = restraintsOn(all, 'site', 'web');
    for (const suspended of [undefined, false, true]) {
      const input = running(aSlice({ ...(suspended !== undefined && { suspended }) }), [aNode('n1')], { restraints });
      const { steps, status } = planWhole(input, NOW);
      const effects = steps
        .flat()
        .map((one) => `${one.kind} ${one.kind === 'remove' ? `${one.ref.kind} ${one.why}` : ''}`);
      assert.deepEqual(effects, ['remove Pod Suspended']);
      const { conditions, restraints: told } = status([], NOW);
      const { reason, message } = conditions!.find(({ type }) => type === 'Ready')!;
      assert.equal(reason, 'Suspended');
      assert.match(message, /Restraint all: all says so; Restraint zoo: zoo says so/);
      assert.equal(message.includes('spec.suspended'), suspended === true);
      assert.deepEqual(
        told!.map(({ name }) => name),
        ['all', 'zoo', 'slow'],
      );
    }
  });

  it('that only slow a slice take nothing', () => {
    const restraints = restraintsOn(all.slice(0, 1), 'site', 'web');
    const input = running(aSlice(), [aNode('n1')], { restraints });
    assert.deepEqual(planPods(input, { mayCreate: true, renewing: new Set() }, NOW).effects, []);
    assert.equal(planWhole(input, NOW).status([], NOW).restraints!.length, 1);
  });

  it('reach the nodes where the slice has a right, at their strictest', () => {
    const slice = aSlice();
    const right = granted(aRight(slice, 'n1'));
    const limits = [
      restraint('slow', { egressLimit: '1M' }),
      restraint('slower', { egressLimit: '500k', slice: undefined }),
    ];
    const ofAll = { namespace: 'site', egressLimit: '500k' };
    const told = { namespace: 'site', slice: 'web', egressLimit: '1M' };
    assert.deepEqual(planNodeRestraints(limits, [right]), [ofAll, told]);
    assert.deepEqual(planNodeRestraints([...all, ...limits], [right, right]), [
      { ...ofAll, suspended: true },
      { ...told, suspended: true },
    ]);
    const stricter = [...limits, restraint('slowest', { egressLimit: '100k' })];
    assert.deepEqual(planNodeRestraints(stricter, [right]), [ofAll, { ...told, egressLimit: '100k' }]);
    assert.deepEqual(planNodeRestraints([restraint('other', { suspended: true, slice: 'db' })], [right]), []);
    assert.deepEqual(planNodeRestraints(all, []), []);
  });

  it('are not pushed off the list by rights that somebody only asks for', () => {
    const invented = Array.from({ length: 1_200 }, (_, i) => aRight(aSlice(), `a${i}`, { sliceName: `a${i}` }));
    const own = granted(aRight(aSlice(), 'n1'));
    const about = [
      restraint('all', { suspended: true, slice: undefined }),
      restraint('web', { egressLimit: '1M' }),
      ...invented.map((_, i) => restraint(`r${i}`, { egressLimit: '1M', slice: `a${i}` })),
    ];
    const entries = planNodeRestraints(about, [...invented, { ...own, status: boundTo(own, 'web') }]);
    assert.equal(entries.length, 1_000);
    assert.deepEqual(entries.slice(0, 2), [
      { namespace: 'site', suspended: true },
      { namespace: 'site', slice: 'web', egressLimit: '1M' },
    ]);
  });

  it('hold a right that its tenant bound by hand, too', () => {
    const bound = aRight(aSlice(), 'n1', { sliceName: 'web' });
    assert.deepEqual(
      planNodeRestraints(all, [{ ...bound, metadata: { ...bound.metadata, ownerReferences: [] } }]).map(
        ({ slice }) => slice,
      ),
      [undefined, 'web'],
    );
  });

  it('that say nothing, or make no sense, are told so, once for each of their versions', () => {
    const events: string[] = [];
    const criticise = restraintCritic({
      record: ({ metadata }, type, reason, message) => events.push(`${type} ${reason} ${metadata.name}: ${message}`),
    });
    const wrong = [
      restraint('nothing', {}, { generation: 1 }),
      restraint('no', { suspended: false }, { generation: 1 }),
      restraint('odd', { egressLimit: 'fast' }, { generation: 1 }),
    ];
    const right = restraint('right', { suspended: true }, { generation: 1 });
    const going = restraint('going', {}, { deletionTimestamp: 'now' });
    for (let i = 0; i < 3; i++) criticise([...wrong, right, going]);
    assert.equal(events.length, 3);
    assert.match(events[0]!, /^Warning InvalidSpec nothing: .*give suspended or an egressLimit/);
    criticise([restraint('nothing', {}, { generation: 2 })]);
    assert.equal(events.length, 4);
  });
});
