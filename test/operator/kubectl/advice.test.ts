/** Whatever a Slice or a right says, `kubectl slice why` says what helps, or it is written here why not. */
import assert from 'node:assert/strict';
import { CapabilityReason, QueueReason, SliceReason, type Condition } from '../../../crds/conditions.ts';
import { sayRestraint, sayWhoSuspends } from '../../../crds/text.ts';
import type { Slice } from '../../../crds/types.ts';
import { HELD_ADVICE, QUEUE_ADVICE, RIGHT_ADVICE, SLICE_ADVICE } from '../../../operator/kubectl/advice.ts';
import { type BrokerSeen } from '../../../operator/kubectl/broker.ts';
import { planWhy } from '../../../operator/kubectl/why.ts';
import { aRight, aSlice, condition } from '../slice/objects.ts';

const WELL = 'all is well';
const SAID = 'its message says what to do';
const NODES = 'each of the nodes has a line of its own';
const TIME = 'time alone helps, and its message says when';

/** Reasons without advice, and why. */
const EXEMPT = {
  Slice: {
    Accepted: WELL,
    AllGranted: WELL,
    AllRunning: WELL,
    WindowPast: SAID,
    HostNetworkNotAllowed: SAID,
    NameTaken: SAID,
    TooFewNodes: SAID,
    WaitingForNodes: NODES,
    Denied: NODES,
    WindowNotOpen: TIME,
    Suspended: 'each that suspends it has a line of its own',
    GivenAway: NODES,
    Blackout: NODES,
    WaitingForBroker: 'what helps goes by what is known of the broker; see below',
  },
  queue: { Waiting: TIME, Opening: SAID, Open: WELL, Over: SAID },
  right: {
    Granted: WELL,
    Bound: WELL,
    Enforced: WELL,
    WithinBudget: WELL,
    WindowNotOpen: TIME,
    NotBound: 'a right that is looked at says whose it is: its node has yet to look',
    NoPod: 'the Slice, or the pod, says what is in the way',
  },
} as const;

/** The condition that a right's reason is on, where that is not Granted. */
const ON: Readonly<Record<string, string>> = {
  GivenAway: 'Ready',
  Suspended: 'Ready',
  Blackout: 'Ready',
  EnforcementFailed: 'Enforced',
  LineUnknown: 'Enforced',
  UplinkBusy: 'Enforced',
  EgressUnclassified: 'Enforced',
  NoAddress: 'Enforced',
  BudgetLow: 'WithinBudget',
  BudgetSpent: 'WithinBudget',
};

function showing(conditions: Condition[], broker?: string): Slice {
  const slice = aSlice(broker === undefined ? {} : { broker });
  return { ...slice, status: { observedGeneration: 1, conditions } };
}

const ready = (reason: string): Condition => condition('Ready', 'False', reason);

function ofRight(reason: string, on: string, status: 'True' | 'False' = 'False'): string {
  const slice = showing([ready('Starting')]);
  const granted = on === 'Granted' ? [] : [condition('Granted', 'True', 'Granted')];
  const right = { ...aRight(slice, 'n1'), status: { conditions: [...granted, condition(on, status, reason)] } };
  return planWhy({ slice, slivers: [{ node: 'n1', right, pod: undefined }], nodes: undefined }).join('\n');
}

describe('what kubectl slice why advises', () => {
  for (const [of, reasons, advice, exempt] of [
    ['Slice', SliceReason, SLICE_ADVICE, EXEMPT.Slice],
    ['queue', QueueReason, QUEUE_ADVICE, EXEMPT.queue],
    ['right', CapabilityReason, RIGHT_ADVICE, EXEMPT.right],
  ] as const) {
    it(`has something for every reason of a ${of}, or it is written here why not`, () => {
      const without = Object.values<string>(reasons).filter((reason) => !(advice as Record<string, string>)[reason]);
      assert.deepEqual(without.toSorted(), Object.keys(exempt).toSorted());
      assert.deepEqual(Object.keys(advice).toSorted(), Object.values<string>(reasons).toSorted());
    });
  }

  it('is told with the reason, wherever that is', () => {
    for (const [reason, help] of Object.entries(SLICE_ADVICE)) {
      const text = planWhy({ slice: showing([ready(reason)]), slivers: [], nodes: undefined }).join('\n');
      assert.ok(text.includes(help), `Slice ${reason}: ${text}`);
    }
    for (const [reason, help] of Object.entries(QUEUE_ADVICE)) {
      const conditions = [ready('WaitingForBroker'), condition('Queued', 'True', reason)];
      const text = planWhy({ slice: showing(conditions, 'queue'), slivers: [], nodes: undefined }).join('\n');
      assert.ok(text.includes(`${reason} it is. ${help}`.trim()), `queue ${reason}: ${text}`);
    }
    for (const [reason, help] of Object.entries(RIGHT_ADVICE)) {
      if (Object.hasOwn(EXEMPT.right, reason)) continue;
      const text = ofRight(reason, ON[reason] ?? 'Granted', reason === 'ResizeDenied' ? 'True' : 'False');
      assert.match(text, new RegExp(`\\(${reason}\\)|n1: ${reason} it is`));
      assert.ok(text.includes(HELD_ADVICE[reason] ?? help), `right ${reason}: ${text}`);
    }
    for (const reason of ['GivenAway', 'Blackout']) {
      const refused = ofRight(reason, 'Granted');
      assert.ok(refused.includes(RIGHT_ADVICE[reason as 'Blackout']), refused);
    }
  });

  it('is another for a right that waits for the end of a blackout than for one that was refused for it', () => {
    const waits = ofRight('Blackout', 'Ready');
    assert.match(waits, /n1 gives it nothing now \(Blackout\): Blackout it is\. It goes on by itself/);
    assert.ok(!waits.includes(RIGHT_ADVICE.Blackout), waits);
  });

  it('is silent about reasons that it does not know', () => {
    assert.match(ofRight('constructor', 'Granted'), /n1 refused \(constructor\): constructor it is\.$/);
  });

  it('says what is known of a broker that said nothing', () => {
    const waits = (seen: BrokerSeen) =>
      planWhy({ slice: showing([ready('WaitingForBroker')], 'quue'), slivers: [], nodes: [], broker: seen })[1];
    assert.match(waits('NoNamespace')!, /^There is no namespace quue: correct spec\.broker/);
    assert.match(waits('NoPods')!, /^No pod runs in namespace quue, .*\(spec\.sliceName/);
    assert.match(
      waits('Running')!,
      /said nothing .* slice-queue-client in namespace site\? .* lower spec\.placement\.count/,
    );
    assert.match(waits('Hidden')!, /said nothing of it\. Is there a namespace of that name/);
  });

  it('advises to bind by hand only where no right is bound yet', () => {
    const slice = showing([ready('WaitingForBroker')], 'quue');
    const sliver = { node: 'n1', right: aRight(slice, 'n1'), pod: undefined };
    for (const broker of ['NoPods', 'Running', 'Hidden'] as const) {
      const text = (slivers: (typeof sliver)[]) => planWhy({ slice, slivers, nodes: [], broker }).join('\n');
      assert.match(text([]), /bind by hand a right on each node/);
      assert.doesNotMatch(text([sliver]), /bind by hand/);
      assert.match(text([sliver]), /ask who runs that broker\.|lower spec\.placement\.count/);
    }
    const shut = planWhy({
      slice: showing([ready('WindowNotOpen')], 'quue'),
      slivers: [],
      nodes: [],
      broker: 'NoPods',
    });
    assert.deepEqual(shut, ['site/web is not Ready (WindowNotOpen): WindowNotOpen it is.']);
  });

  it('asks the broker that did say something', () => {
    const said = { ...condition('Matched', 'False', 'TooPoor'), message: 'bids 3, the price is 5' };
    const slice = showing([ready('WaitingForBroker'), said], 'market');
    const lines = planWhy({ slice, slivers: [], nodes: [], broker: 'Running' });
    assert.deepEqual(lines.slice(1), ['Its condition Matched says (TooPoor): bids 3, the price is 5.']);
  });

  it('says why nobody answers a right', () => {
    const slice = showing([ready('Starting')]);
    const sliceNode = (name: string) => ({ apiVersion: 'v', kind: 'SliceNode', metadata: { name } });
    const n1 = { ...sliceNode('n1'), status: { node: { uid: 'uid-of-n1' } } };
    const line = (right: ReturnType<typeof aRight>) =>
      planWhy({
        slice,
        slivers: [{ node: right.spec.nodeName, right, pod: undefined }],
        nodes: [n1, sliceNode('n3')],
      }).at(-1)!;
    const right = aRight(slice, 'n1');
    assert.match(line(right), /^n1 has not answered: is its node manager running/);
    assert.match(line(aRight(slice, 'n2')), /^There is no node n2: delete rcap web-/);
    assert.match(line(aRight(slice, 'n3')), /^There is no node n3: /, 'nobody but its owner spoke of it');
    const unlabelled = { ...right, metadata: { ...right.metadata, labels: {} } };
    assert.match(line(unlabelled), /: kubectl label rcap web-\S+ slice-operator\.io\/node=n1 --overwrite\.$/);
    assert.match(line(aRight(slice, 'n1', { redeem: 'from-ours' })), /operator\.transfers set/);
  });

  it('names the label that Spread and Cluster go by, where nodes are missing', () => {
    const conditions = [condition('Allocated', 'False', 'TooFewNodes'), ready('TooFewNodes')];
    const slice = showing(conditions);
    const status = { ...slice.status, nodes: { wanted: 2, granted: 0, denied: 0, running: 0, upToDate: 0 } };
    const told = (placement: object) =>
      planWhy({ slice: { ...slice, spec: { ...slice.spec, placement }, status }, slivers: [], nodes: [] }).at(-1)!;
    assert.match(
      told({ policy: 'Spread', topologyKey: 'zone' }),
      /or name in its topologyKey .* get nodes -L zone\)\.$/,
    );
    assert.doesNotMatch(told({ count: 2 }), /topologyKey/);
  });

  it('tells once who suspends a slice, and of each node that does so itself', () => {
    const suspended = (slice: Slice, message = 'by somebody') => {
      const conditions = [
        condition('Granted', 'True', 'Granted'),
        { ...condition('Ready', 'False', 'Suspended'), message },
      ];
      const right = { ...aRight(slice, 'n1'), status: { conditions } };
      return planWhy({ slice, slivers: [{ node: 'n1', right, pod: undefined }], nodes: undefined }).join('\n');
    };
    const slice = showing([ready('Suspended')]);
    assert.match(suspended(slice), /n1 gives it nothing now \(Suspended\): .* ask whom the message names\./);
    const restraints = [{ name: 'noc', suspended: true, reason: 'floods' }];
    const restrained = { ...slice, status: { ...slice.status, restraints } };
    assert.doesNotMatch(suspended(restrained), /n1 gives/);
    const byOwner = sayWhoSuspends([sayRestraint('web'), "the node's owner: too loud"]);
    assert.match(
      suspended(restrained, byOwner),
      /n1 gives it nothing now \(Suspended\): .* the node's owner: too loud/,
    );
  });
});
