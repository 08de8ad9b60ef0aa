/** The values of a Slice's own rights: two hands write those, its holder's and the operator's, who puts back what others edit. */
import assert from 'node:assert/strict';
import type { ResourceCapability, ResourceCapabilitySpec } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { Scene } from './operator/scene.ts';

describe("the value of a Slice's own right", () => {
  const scene = new Scene();
  let name: string;
  before(() => scene.start());
  after(() => scene.stop());
  beforeEach(async () => {
    await scene.open();
    await scene.nodes(1);
    await scene.apply({ resources: { cpu: { shares: 10 } } });
    await scene.ready();
    name = (await right()).metadata.name;
  });
  afterEach(() => scene.clear());

  const right = async (): Promise<ResourceCapability> => (await scene.capabilities())[0]!;
  const edit = async (spec: Partial<ResourceCapabilitySpec>): Promise<void> => {
    await scene.server.client.patch(Resources.ResourceCapability, { namespace: scene.ns, name }, { spec });
  };
  const whenMade = (secret: string): Promise<void> =>
    scene.eventually(async () => assert.equal((await right()).status?.valueSecret, secret));
  const whenPutBack = (contact: string): Promise<void> =>
    scene.eventually(async () => assert.equal((await right()).spec.contact, contact));

  it('is made also where it is asked for together with what the Slice puts back', async () => {
    const { contact } = (await right()).spec;
    for (const secret of ['first', 'second', 'third']) {
      await edit({ valueSecret: secret, contact: 'other@example.org' });
      await whenPutBack(contact);
      await whenMade(secret);
    }
    assert.ok(!scene.operator.events.some(({ reason }) => reason === 'NameTaken'));
  });

  it('outlives what the Slice puts back, and edits of the Slice one after the other', async () => {
    const { contact } = (await right()).spec;
    await edit({ valueSecret: 'kept' });
    await whenMade('kept');
    const { valueDigest } = (await right()).status!;
    for (let n = 0; n < 5; n++) {
      await edit({ contact: `other${n}@example.org` });
      await whenPutBack(contact);
      await scene.edit({ resources: { cpu: { shares: 20 + n } } });
      await scene.edit({ resources: { cpu: { shares: 40 + n } } });
      await scene.eventually(async () => assert.equal((await right()).status?.granted?.resources.cpu?.shares, 40 + n));
    }
    assert.equal((await right()).status!.valueDigest, valueDigest);
  });
});
