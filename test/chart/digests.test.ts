/** What a node manager may write into the status of a right: the expressions of its admission policy, evaluated. */
import assert from 'node:assert/strict';
import { evaluate } from './cel.ts';
import { one } from './objects.ts';
import { renderChart } from './render.ts';

const GROUP = 'slice-operator.io';

describe('the admission policy of node managers, about rights', () => {
  it('lets a node write no digests, nor grant what names another node', async () => {
    const { objects } = await renderChart({ kubeVersion: '1.30.0' });
    const { validations } = one(objects, 'ValidatingAdmissionPolicy', '-node').spec as {
      validations: { expression: string }[];
    };
    const granted = { nodeUID: 'uid-9' };
    const metadata = { labels: { [`${GROUP}/node`]: 'node9' } };
    const isLet = (nodeName: string, before: object, after: object): boolean => {
      const [oldObject, object] = [before, after].map((status) => ({ metadata, spec: { nodeName }, status }));
      const request = { operation: 'UPDATE', subResource: 'status', resource: { resource: 'resourcecapabilities' } };
      const about = { ...request, resource: { ...request.resource, group: GROUP } };
      const context = { request: about, oldObject, object, variables: { node: 'node9', writesStatus: true } };
      return validations.every(({ expression }) => evaluate(expression, context) === true);
    };
    assert.ok(isLet('node9', { valueDigest: 'a' }, { valueDigest: 'a', granted, observedGeneration: 1 }));
    assert.ok(isLet('node1', { granted }, { observedGeneration: 1 }), 'takes back what was moved away');
    assert.ok(isLet('node1', { granted }, { granted, observedGeneration: 1 }));
    assert.ok(!isLet('node1', {}, { granted }));
    const digests = { valueSecret: 'own', valueDigest: 'a', valueSince: 1, redeemDigest: 'a', redeemGeneration: 2 };
    for (const [field, value] of Object.entries(digests)) {
      assert.ok(!isLet('node9', {}, { [field]: value }), `sets ${field}`);
      assert.ok(!isLet('node9', { [field]: 'b' }, { [field]: value }), `changes ${field}`);
      assert.ok(!isLet('node9', { [field]: value }, {}), `takes ${field} out`);
    }
  });
});
