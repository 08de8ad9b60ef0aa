import assert from 'node:assert/strict';
import { controllerReference, type ConfigMap, type KubeObject } from '../../../../operator/kinds.ts';
import { bootKey } from '../../../../operator/slice/plan/bootscript.ts';
import type { ResourceCapability } from '../../../../crds/types.ts';
import type { Effect, SliceInput } from '../../../../operator/slice/plan/input.ts';
import { anInput, aNode, aPod, aRight, aSlice, at, denied, granted, NOW, planWhole, running } from '../objects.ts';

const nodes = [aNode('n1'), aNode('n2')];
const brief = (effect: Effect) => {
  const of = effect.kind === 'create' ? effect.object : effect.ref;
  return `${effect.kind} ${of.kind}${effect.node ? ` ${effect.node}` : ''}`;
};
const plan = (input: SliceInput, now = NOW) => {
  const made = planWhole(input, now);
  return { ...made, brief: made.steps.map((step) => step.map(brief)), all: made.steps.flat() };
};

describe('the plan of a slice', () => {
  it('is empty where everything is as it should be', () => {
    const { all, wakeAt } = plan(running(aSlice(), nodes));
    assert.deepEqual([all, wakeAt], [[], undefined]);
  });

  it('makes the boot script before anything that needs it', () => {
    const slice = aSlice({ sliver: { image: 'x', bootScript: 'true' } });
    const capabilities = [granted(aRight(slice, 'n1'))];
    assert.deepEqual(plan(anInput(slice, nodes, { capabilities })).brief, [
      ['create ConfigMap'],
      ['create ResourceCapability n2', 'create Pod n1'],
    ]);
  });

  it('asks for what the slice says: contact, window, resources in the long form, labels, owner', () => {
    const window = { end: at(1000) };
    const slice = aSlice({ share: 50, window });
    const [create] = plan(anInput(slice, nodes)).all;
    const { metadata, spec } = (create as Effect & { kind: 'create' }).object as KubeObject & { spec: unknown };
    assert.deepEqual(spec, {
      nodeName: 'n1',
      resources: { cpu: { shares: 50 }, egress: { guarantee: '5M' } },
      window,
      contact: 'ops@example.org',
      sliceName: 'web',
    });
    assert.deepEqual(metadata.labels, { 'slice-operator.io/slice': 'web', 'slice-operator.io/node': 'n1' });
    assert.deepEqual(metadata.ownerReferences, [controllerReference(slice)]);
    assert.equal(metadata.annotations, undefined);
  });

  it('leaves it to whoever wants to pass a right on to ask for its value', () => {
    const slice = aSlice();
    const right = granted(aRight(slice, 'n1'));
    const capabilities = [{ ...right, spec: { ...right.spec, valueSecret: 'gift' } }];
    const { all } = plan(anInput(slice, [aNode('n1')], { capabilities }));
    assert.deepEqual(all.map(brief), ['create Pod n1']);
  });

  it('asks for another right where one passed to somebody else, and ends its pod', () => {
    const slice = aSlice();
    const right = denied(aRight(slice, 'n1'), 3_600_000, 0, 'Transferred');
    const pods = new Map([[right.metadata.name, aPod(slice, right)]]);
    const { all } = plan(anInput(slice, [aNode('n1')], { capabilities: [right], pods }));
    assert.deepEqual(all.map(brief), ['replace ResourceCapability n1', 'remove Pod n1']);
  });

  it('renews a right whose spec differs, by no more than the difference, and puts labels back', () => {
    const former = aSlice({ window: { end: at(5000) }, resources: { memory: '1Gi' } });
    const right = granted(aRight(former, 'n1', { resources: { memory: '1Gi' }, window: { end: at(5000) } }));
    delete right.metadata.labels!['slice-operator.io/node'];
    const slice = aSlice({ resources: { cpu: { shares: 5 } } });
    const { all } = plan(anInput(slice, [nodes[0]!], { capabilities: [right] }));
    const [edit] = all;
    assert.deepEqual((edit as Effect & { kind: 'edit' }).patch, {
      metadata: { labels: { 'slice-operator.io/node': 'n1' } },
      spec: { window: null, resources: { memory: null, cpu: { shares: 5 } } },
    });
    assert.equal(all.length, 1, 'and makes no pod before the node has judged it');
  });

  it('asks again with the number of the attempt', () => {
    const slice = aSlice();
    const right = denied(aRight(slice, 'n1'), 600_000, 2);
    const [again] = plan(anInput(slice, [nodes[0]!], { capabilities: [right] })).all;
    assert.equal(again!.kind, 'replace');
    const { object, ref } = again as Effect & { kind: 'replace' };
    assert.equal(ref.uid, right.metadata.uid);
    assert.equal(object.metadata.annotations!['slice-operator.io/attempt'], '3');
  });

  it('gives a right back in one write, its pod with it', () => {
    const slice = aSlice({ placement: { nodeSelector: { zone: 'a' } } });
    const [release, ...more] = plan(running(slice, nodes)).all;
    assert.equal((release as Effect & { kind: 'remove' }).propagation, 'Foreground');
    assert.deepEqual(
      more.map((effect) => effect.kind === 'remove' && effect.ref.kind),
      ['ResourceCapability'],
    );
  });

  it('writes nothing for a spec that is not accepted, and leaves what runs', () => {
    for (const slice of [
      aSlice({ sliver: { image: 'x', network: 'Host' } }),
      aSlice({ resources: { egress: { guarantee: '2M', limit: '1M' } } }),
      aSlice({ sliver: { image: 'x', volumeMounts: [{ name: 'v', mountPath: '/run/slice/' }] } }),
      aSlice({ sliver: { image: 'x', volumeMounts: [{ name: 'v', mountPath: '/data' }] } }),
    ]) {
      const { all, status } = plan({ ...running(aSlice(), nodes), slice });
      assert.deepEqual(all, []);
      assert.equal(status([], NOW).conditions![0]!.status, 'False');
    }
  });

  it('takes slices to the nodes’ network only where the namespace is labelled for it', () => {
    const slice = aSlice({ share: 10, sliver: { image: 'x', network: 'Host' } });
    const namespaceLabels = { 'slice-operator.io/host-network': 'allowed' };
    const [first] = plan({ ...anInput(slice, nodes), namespaceLabels }).all;
    assert.equal(first!.kind, 'create');
    const { spec } = (first as unknown as { object: ResourceCapability }).object;
    assert.deepEqual(spec.resources, { cpu: { shares: 10 }, egress: { guarantee: '1M' }, network: 'Host' });
    for (const value of ['', 'true', 'Allowed']) {
      const labels = { 'slice-operator.io/host-network': value };
      const { all, status } = plan({ ...anInput(slice, nodes), namespaceLabels: labels });
      assert.deepEqual(all, []);
      const [accepted] = status([], NOW).conditions!;
      assert.equal(accepted!.reason, 'HostNetworkNotAllowed');
      assert.match(accepted!.message, /label slice-operator.io\/host-network=allowed on namespace site/);
    }
  });

  it('gives rights to the nodes’ network back when the label is taken away, and no others', () => {
    const slice = aSlice({ sliver: { image: 'x', network: 'Host' } });
    const input = running(slice, nodes);
    input.capabilities = input.capabilities.map((one, i) => {
      const resources = i === 0 ? { network: 'Host' as const } : {};
      return { ...one, spec: { ...one.spec, resources } };
    });
    const { all } = plan(input);
    assert.deepEqual(
      all.map((effect) => effect.kind === 'remove' && [effect.why, effect.ref.uid]),
      [['HostNetworkNotAllowed', input.capabilities[0]!.metadata.uid]],
    );
  });

  it('gives everything back when the window is over, and looks at the clock until then', () => {
    const slice = aSlice({ window: { start: at(1000), end: at(2000) } });
    assert.equal(plan(anInput(slice, [])).wakeAt, NOW + 1000);
    assert.equal(plan(anInput(slice, []), NOW + 1000).wakeAt, NOW + 2000);
    const over = plan(running(slice, nodes), NOW + 2000);
    assert.deepEqual(over.brief, [['remove ResourceCapability n1', 'remove ResourceCapability n2']]);
  });
});

describe('the boot script', () => {
  const slice = aSlice({ sliver: { image: 'x', bootScript: 'echo "$(X)"' } });
  const map = (data: Record<string, string>): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'web-boot', namespace: 'site', uid: 'map-uid', ownerReferences: [controllerReference(slice)] },
    data,
  });
  const input = (more: Partial<SliceInput>, of = slice) => anInput(of, [], more);

  it('is kept as it is, under a key that changes with it', () => {
    const script = slice.spec.sliver.bootScript!;
    const same = map({ [bootKey(script)]: script });
    assert.deepEqual(plan(input({ bootScript: same })).all, []);
    const [edit] = plan(input({ bootScript: map({ [bootKey('old')]: 'old' }) })).all;
    assert.deepEqual((edit as Effect & { kind: 'edit' }).patch, {
      data: { [bootKey('old')]: null, [bootKey(script)]: script },
    });
  });

  it('goes when the slice has none any more', () => {
    assert.deepEqual(plan(input({ bootScript: map({}) }, aSlice())).brief[0], ['remove ConfigMap']);
  });

  it('makes no pod where somebody else has its name, and says so', () => {
    const taken = new Map([['ConfigMap/web-boot', map({})]]);
    const { brief: steps, status } = plan({ ...running(slice, nodes), pods: new Map(), taken });
    assert.deepEqual(steps, [[], []]);
    const accepted = status([], NOW).conditions!.find(({ type }) => type === 'Accepted')!;
    assert.deepEqual(
      [accepted.reason, accepted.message],
      ['NameTaken', 'not made by this Slice and left alone: ConfigMap web-boot; delete it or rename the Slice'],
    );
  });
});

describe('the end of a slice', () => {
  const slice = aSlice();
  slice.metadata.deletionTimestamp = at(0);

  it('deletes its rights in the foreground, one write each, and waits for them', () => {
    const { all, finalizer, brief: steps } = plan(running(slice, nodes));
    assert.deepEqual(steps, [['remove ResourceCapability n1', 'remove ResourceCapability n2']]);
    assert.ok(all.every((effect) => effect.kind === 'remove' && effect.propagation === 'Foreground' && effect.ref.uid));
    assert.equal(finalizer, 'keep');
  });

  it('waits for what is on its way out, but not on a node that is lost', () => {
    const input = running(slice, nodes);
    const capabilities = input.capabilities.map((right) => ({
      ...right,
      metadata: { ...right.metadata, deletionTimestamp: at(0) },
    }));
    const waiting = plan({ ...input, capabilities });
    assert.deepEqual([waiting.all, waiting.finalizer], [[], 'keep']);
    assert.match(waiting.status([], NOW).conditions![0]!.message, /waits for Pod web-[0-9a-f]+ on n1; Pod/);
    const lost = new Map(nodes.map(({ name }) => [name, aNode(name, { lost: 'is not ready' })]));
    assert.equal(plan({ ...input, capabilities, nodes: lost }).finalizer, 'remove');
    assert.equal(plan({ ...input, capabilities, nodes: new Map() }).finalizer, 'remove');
  });

  it('is over when nothing is left', () => assert.equal(plan(anInput(slice, nodes)).finalizer, 'remove'));
});
