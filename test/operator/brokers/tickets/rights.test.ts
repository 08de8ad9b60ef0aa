/** The rights that a broker acquires for tickets: the value that it hands out. */
import assert from 'node:assert/strict';
import type { ResourceCapability } from '../../../../crds/types.ts';
import { openRights, type RightsClient } from '../../../../operator/brokers/tickets/rights.ts';
import { digestOf, type Secret, secretOf } from '../../../../operator/capability/value.ts';

const VALUE = 'ab'.repeat(16);
const { signal } = new AbortController();

describe("the value of a ticket's right", () => {
  const right = (generation: number, valueDigest: string): ResourceCapability => ({
    apiVersion: 'slice-operator.io/v1alpha1',
    kind: 'ResourceCapability',
    metadata: { namespace: 'tickets', name: 'ticket-x', uid: 'uid-x', generation },
    spec: { nodeName: 'node1', contact: 'site@example.org', valueSecret: 'ticket-x' },
    status: { valueSecret: 'ticket-x', valueDigest },
  });
  const made = secretOf(right(1, digestOf(VALUE)), 'ticket-x', VALUE);
  const client = { get: (): Promise<Secret> => Promise.resolve(made) } as unknown as RightsClient;
  const rights = openRights(client, 'tickets');

  it('is that of the operator’s digest, also after edits that leave its name', async () => {
    assert.equal(await rights.value(right(1, digestOf(VALUE)), signal), VALUE);
    assert.equal(await rights.value(right(3, digestOf(VALUE)), signal), VALUE);
  });

  it('is none where the Secret carries another', async () => {
    assert.equal(await rights.value(right(1, digestOf('cd'.repeat(16))), signal), undefined);
  });
});
