import assert from 'node:assert/strict';
import { getCondition } from '../../../../crds/conditions.ts';
import { sayRestraint, sayWhoSuspends } from '../../../../crds/text.ts';
import type { ResourceCapability, Slice } from '../../../../crds/types.ts';
import type { SliceInput } from '../../../../operator/slice/plan/input.ts';
import { planSlice } from '../../../../operator/slice/plan/plan.ts';
import type { Failure } from '../../../../operator/slice/plan/status.ts';
import { aNode, anInput, aPod, aRight, aSlice, at, condition, denied, granted, NOW, running } from '../objects.ts';

function statusOf(input: SliceInput, failures: Failure[] = [], now = NOW) {
  const status = planSlice(input, now).status(failures, now);
  const say = (type: string) => {
    const { status: is, reason, message } = getCondition(status.conditions, type)!;
    return [is, reason, message];
  };
  return { ...status, ready: say('Ready'), accepted: say('Accepted'), allocated: say('Allocated') };
}
const nodes = [aNode('n1'), aNode('n2'), aNode('n3')];

describe('the status of a slice', () => {
  it('is Ready when every sliver runs, and has Ready first', () => {
    const { ready, allocated, nodes: counts, conditions } = statusOf(running(aSlice(), nodes));
    assert.deepEqual(ready, ['True', 'AllRunning', '3 of 3 running']);
    assert.deepEqual(allocated, ['True', 'AllGranted', '3 of 3 granted']);
    assert.deepEqual(counts, { wanted: 3, granted: 3, denied: 0, running: 3, upToDate: 3 });
    assert.deepEqual(
      conditions!.map(({ type }) => type),
      ['Ready', 'Accepted', 'Allocated'],
    );
  });

  it('compares equal when nothing changed but the time', () => {
    const input = running(aSlice(), nodes);
    const { ready: _, accepted: __, allocated: ___, ...status } = statusOf(input);
    const again = planSlice({ ...input, slice: { ...input.slice, status } }, NOW + 60_000).status([], NOW + 60_000);
    assert.deepEqual(again, status);
  });

  it('counts no pod as running that its node does not enforce, or whose node is lost', () => {
    const input = running(aSlice(), nodes);
    const unenforced = { ...input.capabilities[0]!, status: { ...input.capabilities[0]!.status, conditions: [] } };
    const grantedOnly = granted(unenforced);
    grantedOnly.status!.conditions = grantedOnly.status!.conditions!.filter(({ type }) => type === 'Granted');
    const capabilities = [grantedOnly, ...input.capabilities.slice(1)];
    assert.equal(statusOf({ ...input, capabilities }).nodes!.running, 2);
    const lost = new Map(input.nodes).set('n2', aNode('n2', { lost: 'is not ready (KubeletStopped)' }));
    const { ready, nodes: counts } = statusOf({ ...input, nodes: lost });
    assert.equal(counts!.running, 2);
    assert.deepEqual(ready, [
      'False',
      'NodeLost',
      '2 of 3 running; n2 is not ready (KubeletStopped); its sliver keeps its right',
    ]);
  });

  it('names the node whose owner suspended it there, and why', () => {
    const input = running(aSlice(), nodes);
    const message = "the right is kept, and suspended by the node's owner since 2030-01-01T00:00:00Z: too loud";
    const [first, ...others] = input.capabilities;
    const conditions = first!.status!.conditions!.map((one) =>
      one.type === 'Ready' ? { ...one, ...condition('Ready', 'False', 'Suspended'), message } : one,
    );
    const capabilities = [{ ...first!, status: { ...first!.status, conditions } }, ...others];
    assert.deepEqual(statusOf({ ...input, capabilities }).ready, [
      'False',
      'Suspended',
      `2 of 3 running; n1: ${message}`,
    ]);
  });

  it('names that owner also beside others who suspend the slice', () => {
    const input = running(aSlice({ suspended: true }), nodes);
    const message = sayWhoSuspends([sayRestraint('web'), "the node's owner since 2030: too loud"]);
    const [first, ...others] = input.capabilities;
    const conditions = [
      condition('Granted', 'True', 'Granted'),
      { ...condition('Ready', 'False', 'Suspended'), message },
    ];
    const capabilities = [{ ...first!, status: { ...first!.status, conditions } }, ...others];
    assert.deepEqual(statusOf({ ...input, capabilities }).ready, [
      'False',
      'Suspended',
      "suspended by spec.suspended; and on n1 the node's owner since 2030: too loud: the rights are kept, the pods are not",
    ]);
  });

  it('says on which node its right is kept and gives nothing, and why, in the place of what its pod says there', () => {
    const input = running(aSlice(), nodes);
    const until = 'the owner keeps slices off the node until 2030-01-02T00:00:00Z: the building is closed';
    const paused = (right: ResourceCapability, message = until, reason = 'Blackout'): ResourceCapability => {
      const ready = { ...condition('Ready', 'False', reason), message };
      const enforced = { ...condition('Enforced', 'False', reason), message: 'its pod is held down' };
      return { ...right, status: { ...right.status, conditions: [right.status!.conditions![0]!, ready, enforced] } };
    };
    const [first, second, third] = input.capabilities as [ResourceCapability, ResourceCapability, ResourceCapability];
    const crashing: object = {
      phase: 'Running',
      containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } } }],
    };
    const crashed = (right: ResourceCapability) => aPod(input.slice, right, crashing);
    const pods = new Map(input.pods).set(first.metadata.name, crashed(first));
    const capabilities = [paused(first), second, third];
    const { ready, allocated, nodes: counts } = statusOf({ ...input, capabilities, pods });
    assert.deepEqual(ready, ['False', 'Blackout', `2 of 3 running; n1: ${until}`]);
    assert.deepEqual([allocated[1], counts!.granted, counts!.running], ['AllGranted', 3, 2]);
    const late = paused(second, 'until some day');
    assert.match(statusOf({ ...input, capabilities: [paused(first), late, third] }).ready[2]!, /; n2: until some day$/);
    // nobody but those who split it can end that, with the pod or without
    const split = paused(second, 'what is split from the right leaves nothing', 'GivenAway');
    const withPods = { ...input, capabilities: [paused(first), split, third] };
    for (const state of [withPods, { ...withPods, pods: new Map() }]) {
      const { ready: says } = statusOf(state);
      assert.deepEqual([says[0], says[1]], ['False', 'GivenAway']);
      assert.match(says[2]!, /^[01] of 3 running; n2: what is split from the right leaves nothing$/);
    }
    // what goes wrong elsewhere can be mended
    const both = { ...input, capabilities, pods: new Map(pods).set(third.metadata.name, crashed(third)) };
    assert.deepEqual(statusOf(both).ready.slice(1), ['PodsFailing', '1 of 3 running; n3: CrashLoopBackOff: back-off']);
  });

  it('stays Ready without a Node that was deleted, and says that its right is kept', () => {
    const input = running(aSlice(), nodes);
    const gone = new Map(input.nodes).set('n3', aNode('n3', { uid: undefined, lost: 'is gone' }));
    assert.deepEqual(statusOf({ ...input, nodes: gone }).ready, [
      'True',
      'AllRunning',
      '2 of 2 running; rights are kept for n3, whose Node is gone',
    ]);
  });

  it('names the first few refusals, and no more than five of them in full', () => {
    const slice = aSlice();
    const many = Array.from({ length: 9 }, (_, index) => aNode(`n${index}`));
    const capabilities = many.map(({ name }) => denied(aRight(slice, name)));
    const { allocated, denials, nodes: counts } = statusOf(anInput(slice, many, { capabilities }));
    assert.equal(denials!.length, 5);
    assert.deepEqual(denials![0], { node: 'n0', reason: 'PortInUse', message: 'PortInUse it is' });
    assert.equal(counts!.denied, 9);
    assert.match(allocated[2]!, /^0 of 9 granted; refused by n0: PortInUse: .*; n2: [^;]* and 6 more$/);
  });

  it('counts those that refused a change among those that refused', () => {
    const input = running(aSlice(), nodes);
    const [first, ...others] = input.capabilities;
    const conditions = [{ ...first!.status!.conditions![0]!, reason: 'ResizeDenied', message: 'too much' }];
    const refused = { ...first!, status: { ...first!.status!, conditions } };
    const { nodes: counts, denials } = statusOf({ ...input, capabilities: [refused, ...others] });
    assert.deepEqual([counts!.granted, counts!.denied], [3, 1]);
    assert.deepEqual(denials, [{ node: 'n1', reason: 'ResizeDenied', message: 'too much' }]);
  });

  it('says of a spec that is not acted on that what runs goes on', () => {
    const before = statusOf(running(aSlice(), nodes));
    const slice = { ...aSlice({ sliver: { image: 'x', network: 'Host' } }), status: { nodes: before.nodes! } };
    const { nodes: counts, ready } = statusOf({ ...running(aSlice(), nodes), slice });
    assert.deepEqual([counts!.wanted, counts!.granted, counts!.running], [3, 3, 3]);
    assert.match(ready[2]!, /use Pod, the default; what runs is left as it is \(3 slivers\)$/);
  });

  it('says which nodes are waited for', () => {
    const slice = aSlice();
    const capabilities = nodes.map(({ name }) => aRight(slice, name));
    assert.deepEqual(statusOf(anInput(slice, nodes, { capabilities })).allocated, [
      'False',
      'WaitingForNodes',
      '0 of 3 granted; waits for n1, n2, n3',
    ]);
  });

  it('says why there is no node to ask', () => {
    assert.deepEqual(statusOf(anInput(aSlice(), [])).allocated[1], 'NoNodes');
    const closed = [aNode('n1', { cordoned: true })];
    assert.match(statusOf(anInput(aSlice(), closed)).allocated[2]!, /1 node match, none is ready/);
    const few = statusOf(anInput(aSlice({ placement: { count: 4 } }), nodes)).allocated;
    assert.deepEqual(few.slice(0, 2), ['False', 'TooFewNodes']);
    assert.match(few[2]!, /asks for 4 nodes, 3 match its placement and are used meanwhile/);
    const queued = statusOf(anInput(aSlice({ broker: 'queue', placement: { count: 4 } }), nodes)).allocated;
    assert.match(queued[2]!, /asks for 4 nodes, (0|3) match its placement; lower/);
    const placement = { policy: 'Spread', topologyKey: 'zone' } as const;
    const spread = (more: object) =>
      statusOf(anInput(aSlice({ placement: { ...placement, ...more } }), nodes)).allocated;
    assert.match(spread({ count: 2 })[2]!, /, 0 match its placement \(3 lack the label zone, its topologyKey\); lower/);
    assert.equal(spread({})[2], 'no node matches spec.placement (3 lack the label zone, its topologyKey)');
    const none = statusOf(anInput(aSlice({ placement: { count: 0 } }), nodes));
    assert.deepEqual(none.ready, ['True', 'AllRunning', '0 of 0 running']);
  });

  it('repeats what the kubelet says of a pod that does not start', () => {
    const input = running(aSlice(), nodes);
    const stuck = (status: object) => {
      const pods = new Map(input.pods);
      const right = input.capabilities[0]!;
      pods.set(right.metadata.name, aPod(input.slice, right, status));
      return statusOf({ ...input, pods }).ready;
    };
    const waiting = (reason: string, message?: string) =>
      stuck({ phase: 'Pending', containerStatuses: [{ state: { waiting: { reason, message } } }] });
    assert.deepEqual(waiting('ImagePullBackOff', 'no such image'), [
      'False',
      'PodsFailing',
      '2 of 3 running; n1: ImagePullBackOff: no such image',
    ]);
    assert.deepEqual(waiting('ContainerCreating').slice(1), ['Starting', '2 of 3 running; n1 is at ContainerCreating']);
    const why = 'dial tcp: lookup registry.example.org on 10.96.0.10:53: read udp 10.244.1.2:40000: i/o timeout';
    const long = `rpc error: code = Unknown desc = failed to pull and unpack image ${'"registry.example.org/x:1": failed to resolve reference '.repeat(6)}: ${why}`;
    const quoted = waiting('ErrImagePull', long)[2]!;
    assert.ok(quoted.endsWith(why) && quoted.includes('n1: ErrImagePull: rpc error: code = ') && quoted.length < 330);
    const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'Insufficient cpu' };
    assert.match(stuck({ phase: 'Pending', conditions: [unscheduled] })[2]!, /n1: Unschedulable: Insufficient cpu/);
    assert.match(stuck({ phase: 'Failed', reason: 'Evicted', message: 'disk' })[2]!, /n1: Evicted: disk/);
  });

  it('says what the API server refused, and for which node', () => {
    const failures = [{ node: 'n1', message: 'pods "web" is forbidden: exceeded quota' }];
    const { ready } = statusOf(running(aSlice(), nodes), failures);
    assert.deepEqual(ready.slice(1), ['PodsFailing', '3 of 3 running; n1: pods "web" is forbidden: exceeded quota']);
  });

  it('is Updating while pods are of an older template', () => {
    const newer: Slice = aSlice({ sliver: { image: 'example.org/web:2' } });
    const { ready, nodes: counts } = statusOf({ ...running(aSlice(), nodes), slice: newer });
    assert.deepEqual(ready, ['False', 'Updating', '3 of 3 running; 0 of 3 up to date']);
    assert.equal(counts!.upToDate, 0);
  });

  it('says that it is suspended, and when its window opens and closes', () => {
    assert.equal(statusOf(running(aSlice({ suspended: true }), nodes)).ready[1], 'Suspended');
    const window = { start: at(1000), end: at(2000) };
    const before = statusOf(anInput(aSlice({ window }), nodes));
    assert.deepEqual(before.ready.slice(1), ['WindowNotOpen', `the window opens at ${window.start}`]);
    const after = statusOf(anInput(aSlice({ window }), nodes), [], NOW + 2000);
    assert.deepEqual(
      [after.accepted[1], after.ready[1], after.allocated[1]],
      ['WindowPast', 'WindowPast', 'WindowPast'],
    );
  });

  it('shows what is asked for in full, but not of a spec that nobody can read', () => {
    const wrong = { resources: { memory: '1e999' } };
    assert.equal(statusOf(running(aSlice(), nodes)).resources?.cpu?.shares, 1);
    assert.equal(statusOf(anInput(aSlice(wrong), nodes)).resources, undefined);
    const ending = aSlice(wrong);
    ending.metadata.deletionTimestamp = at(0);
    assert.equal(statusOf(anInput(ending, nodes)).ready[1], 'Deleting');
  });

  it('tells no defaults that nobody asks with: another broker binds what it likes', () => {
    const told = (spec: Partial<Slice['spec']>, brokering = true) =>
      statusOf({ ...anInput(aSlice(spec), nodes), brokering }).resources?.cpu?.shares;
    assert.equal(told({ broker: 'queue' }), undefined);
    assert.equal(told({}, false), undefined);
    assert.equal(told({ broker: 'queue', resources: { memory: '1Gi' } }), 1);
    assert.equal(told({ broker: 'queue', share: 20 }), 20);
    assert.equal(told({ share: 20 }, false), 20);
    const overrides = [{ name: 'more', node: 'n1', resources: { cpu: { shares: 9 } } }];
    const { resources, overrides: applied } = statusOf(anInput(aSlice({ broker: 'queue', overrides }), nodes));
    assert.deepEqual([resources, applied], [undefined, [{ name: 'more', slivers: 0 }]]);
  });

  it('keeps messages within what the schema allows', () => {
    const failures = Array.from({ length: 3 }, () => ({ node: 'n1', message: 'x'.repeat(2000) }));
    assert.ok(statusOf(running(aSlice(), nodes), failures).ready[2]!.length <= 1024);
  });
});
