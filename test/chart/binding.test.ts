/** What of a right never changes but by deleting it: the expressions of the admission policy, evaluated. */
import assert from 'node:assert/strict';
import { LABEL_NODE } from '../../crds/names.ts';
import { evaluate } from './cel.ts';
import { one } from './objects.ts';
import { renderChart } from './render.ts';

interface PolicySpec {
  failurePolicy: string;
  matchConstraints: { resourceRules: { operations: string[]; resources: string[] }[] };
  variables: { name: string; expression: string }[];
  validations: { expression: string }[];
}

/** What can be told of a right here. */
interface Right {
  label?: string;
  nodeName?: string;
  sliceName?: string;
}

describe('the admission policy of rights', () => {
  let spec: PolicySpec;
  before(async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0' });
    const policy = one(objects, 'ValidatingAdmissionPolicy', '-rights');
    spec = policy.spec as PolicySpec;
    const binding = one(objects, 'ValidatingAdmissionPolicyBinding', '-rights').spec;
    assert.deepEqual(binding, { policyName: policy.metadata.name, validationActions: ['Deny'] });
  });

  const objectOf = ({ label, nodeName = 'node1', sliceName }: Right): object => ({
    metadata: label === undefined ? {} : { labels: { [LABEL_NODE]: label } },
    spec: { nodeName, sliceName },
  });
  const isLet = (before: Right, after: Right): boolean => {
    const context = { oldObject: objectOf(before), object: objectOf(after), variables: {} as Record<string, unknown> };
    for (const { name, expression } of spec.variables) context.variables[name] = evaluate(expression, context);
    return spec.validations.every(({ expression }) => evaluate(expression, context) === true);
  };

  it('holds whoever edits one, and closes when it fails', () => {
    assert.equal(spec.failurePolicy, 'Fail');
    const [rules, ...more] = spec.matchConstraints.resourceRules;
    assert.deepEqual([rules!.operations, rules!.resources, more], [['UPDATE'], ['resourcecapabilities'], []]);
    assert.ok(!('matchConditions' in spec), 'nobody is left out');
  });

  it('keeps the node’s label, the node and what it is bound to', () => {
    const bound = { label: 'node1', sliceName: 'measure' };
    assert.ok(isLet(bound, bound));
    for (const label of [undefined, '', 'node2']) assert.ok(!isLet(bound, { ...bound, label }), `label ${label}`);
    for (const sliceName of [undefined, '', 'other']) assert.ok(!isLet(bound, { ...bound, sliceName }), `${sliceName}`);
    assert.ok(!isLet(bound, { ...bound, nodeName: 'node2' }));
    assert.ok(!isLet(bound, { ...bound, nodeName: 'node2', label: 'node2' }));
  });

  it('lets a right be bound once, and a label that was wrong or missing be put right', () => {
    for (const sliceName of [undefined, '']) {
      assert.ok(isLet({ label: 'node1', sliceName }, { label: 'node1', sliceName: 'measure' }));
    }
    for (const label of [undefined, 'node2']) {
      assert.ok(isLet({ label }, { label: 'node1' }));
      assert.ok(!isLet({ label }, { label: 'node3' }));
    }
    const nodeName = 'n'.repeat(64);
    assert.ok(isLet({ nodeName }, { nodeName, label: 'hashed' }));
    assert.ok(!isLet({ nodeName, label: 'hashed' }, { nodeName, label: 'another' }));
  });
});
