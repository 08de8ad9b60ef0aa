import assert from 'node:assert/strict';
import type { Override, ResourceCapability, Slice, SliceSpec } from '../../../../crds/types.ts';
import type { Effect, NodeState, SliceInput } from '../../../../operator/slice/plan/input.ts';
import { aNode, anInput, aPod, aRight, aSlice, granted, NOW, planWhole } from '../objects.ts';

const NODES = [
  aNode('n1', { labels: { size: 'big' } }),
  aNode('n2', { labels: { size: 'big' } }),
  aNode('n3', { labels: { size: 'small' } }),
];
const BIG: Override = { name: 'big', nodeSelector: { size: 'big' }, resources: { cpu: { shares: 300 } } };
const N1: Override = { name: 'n1', node: 'n1', resources: { egress: { limit: '50M' } } };
const BASE: Partial<SliceSpec> = {
  resources: { cpu: { shares: 100, excess: 'None' }, ports: [{ protocol: 'TCP', port: 80 }] },
};

const slice = (overrides: Override[], spec: Partial<SliceSpec> = BASE): Slice => aSlice({ ...spec, overrides });
const rightsOf = (effects: readonly Effect[]) =>
  effects.flatMap((effect) =>
    effect.kind === 'create' && effect.object.kind === 'ResourceCapability'
      ? [effect.object as ResourceCapability]
      : [],
  );

/** Every sliver as the operator would have left it, running. */
function settled(of: Slice, nodes: NodeState[] = NODES): SliceInput {
  const rights = rightsOf(planWhole(anInput(of, nodes), NOW).steps.flat()).map((made) => {
    const { metadata } = aRight(of, made.spec.nodeName);
    return granted({ ...made, metadata: { ...metadata, annotations: made.metadata.annotations } });
  });
  return anInput(of, nodes, {
    capabilities: rights,
    pods: new Map(rights.map((right) => [right.metadata.name, aPod(of, right)])),
  });
}

const edits = (input: SliceInput) =>
  planWhole(input, NOW)
    .steps.flat()
    .map((effect) => [effect.kind, effect.node, 'patch' in effect && effect.patch]);

describe('overrides', () => {
  it('make each right of its own: sliver over group over slice', () => {
    const rights = rightsOf(planWhole(anInput(slice([N1, BIG]), NODES), NOW).steps.flat());
    const ports = [{ protocol: 'TCP', port: 80 }];
    assert.deepEqual(
      rights.map(({ spec, metadata }) => [spec.nodeName, metadata.annotations, spec.resources]),
      [
        [
          'n1',
          { 'slice-operator.io/overrides': 'big,n1' },
          { cpu: { shares: 300, excess: 'None' }, egress: { limit: '50M' }, ports },
        ],
        ['n2', { 'slice-operator.io/overrides': 'big' }, { cpu: { shares: 300, excess: 'None' }, ports }],
        ['n3', undefined, BASE.resources],
      ],
    );
  });

  it('go over the short form too', () => {
    const [right] = rightsOf(planWhole(anInput(slice([BIG], { share: 50 }), NODES), NOW).steps.flat());
    assert.deepEqual(right!.spec.resources, { cpu: { shares: 300 }, egress: { guarantee: '5M' } });
  });

  it('change nothing where everything is as they say', () => {
    assert.deepEqual(edits(settled(slice([BIG, N1]))), []);
  });

  it('touch the slivers that they are about when they are edited, and no others', () => {
    const before = settled(slice([BIG, N1]));
    const edited = { ...BIG, resources: { cpu: { shares: 200 } } };
    // as long as the node has not said that it granted less
    const metadata = { annotations: { 'slice-operator.io/asked-before': '[{"shares":300}]' } };
    assert.deepEqual(edits({ ...before, slice: slice([edited, N1]) }), [
      ['edit', 'n1', { metadata, spec: { resources: { cpu: { shares: 200 } } } }],
      ['edit', 'n2', { metadata, spec: { resources: { cpu: { shares: 200 } } } }],
    ]);
    const limit = { ...N1, resources: { egress: { limit: '60M' } } };
    assert.deepEqual(edits({ ...before, slice: slice([BIG, limit]) }), [
      ['edit', 'n1', { spec: { resources: { egress: { limit: '60M' } } } }],
    ]);
    assert.deepEqual(edits({ ...before, slice: slice([BIG]) }), [
      [
        'edit',
        'n1',
        { metadata: { annotations: { 'slice-operator.io/overrides': 'big' } }, spec: { resources: { egress: null } } },
      ],
    ]);
  });

  it('leave the pods of all others as they are when a grant changes', () => {
    const before = settled(slice([BIG]));
    const now = slice([{ ...BIG, node: 'n1', nodeSelector: undefined, resources: { cpu: { shares: 400 } } }]);
    const capabilities = rightsOf(planWhole(anInput(now, NODES), NOW).steps.flat()).map((made, i) => {
      return granted({
        ...made,
        metadata: { ...before.capabilities[i]!.metadata, annotations: made.metadata.annotations },
      });
    });
    const gone = planWhole({ ...before, slice: now, capabilities }, NOW).steps.flat();
    assert.deepEqual(
      gone.map(({ kind }) => kind),
      ['remove'],
      'one at a time',
    );
    assert.notEqual(gone[0]!.node, 'n3');
  });

  it('follow a label that moves', () => {
    const before = settled(slice([BIG]));
    const nodes = new Map(before.nodes).set('n2', aNode('n2', { labels: { size: 'small' } }));
    assert.deepEqual(
      edits({ ...before, nodes }).map(([, node]) => node),
      ['n2'],
    );
  });

  it('leave a right as it is whose Node is gone, with its labels', () => {
    const before = settled(slice([BIG]));
    const nodes = new Map(before.nodes).set('n1', aNode('n1', { uid: undefined, labels: {}, lost: 'is gone' }));
    assert.deepEqual(edits({ ...before, nodes }), []);
  });

  it('that do not go together keep their own sliver from being asked for, and no other', () => {
    const rate: Override = { name: 'rate', nodeSelector: { size: 'big' }, resources: { egress: { guarantee: '8M' } } };
    const low: Override = { name: 'low', node: 'n1', resources: { egress: { limit: '6M' } } };
    const plan = planWhole(anInput(slice([rate, low]), NODES), NOW);
    assert.deepEqual(
      rightsOf(plan.steps.flat()).map(({ spec }) => spec.nodeName),
      ['n2', 'n3'],
    );
    const allocated = plan.status([], NOW).conditions!.find(({ type }) => type === 'Allocated')!;
    assert.equal(allocated.reason, 'OverridesConflict');
    assert.match(
      allocated.message,
      /not asked: n1: the overrides rate, low make an egress guarantee of 8 Mbit\/s and a /,
    );
  });

  it('for the nodes’ network need the label of the namespace', () => {
    const host: Override = { name: 'host', node: 'n1', resources: { network: 'Host' } };
    const input = anInput(slice([host]), NODES);
    const refused = planWhole(input, NOW);
    assert.deepEqual(refused.steps, []);
    assert.match(refused.status([], NOW).conditions![0]!.message, /spec.overrides: Host needs the label/);
    const labelled = { ...input, namespaceLabels: { 'slice-operator.io/host-network': 'allowed' } };
    assert.deepEqual(
      rightsOf(planWhole(labelled, NOW).steps.flat()).map(({ spec }) => spec.resources?.network),
      ['Host', undefined, undefined],
    );
  });

  it('are counted in the status, beside what the slice asks for in full', () => {
    const never: Override = { name: 'never', node: 'n9', resources: {} };
    const { resources, overrides } = planWhole(settled(slice([BIG, N1, never], { share: 50 })), NOW).status([], NOW);
    assert.deepEqual(resources, { cpu: { shares: 50, excess: 'Share' }, egress: { guarantee: '5M', limit: '10M' } });
    assert.deepEqual(overrides, [
      { name: 'big', slivers: 2 },
      { name: 'n1', slivers: 1 },
      { name: 'never', slivers: 0 },
    ]);
  });
});
