/** The values of rights against a real API server: the operator makes and reads them, and the node's admission matches them. */
import assert from 'node:assert/strict';
import { API_VERSION, LABEL_NODE, SECRET_TYPE } from '../../crds/names.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { EMPTY_LEDGER, type Ledger } from '../../node-daemonset/admission/ledger.ts';
import { digestOf, type Secret } from '../../operator/capability/value.ts';
import { admit } from '../node-daemonset/rights.ts';
import { apiServer, until, type ApiServer } from './fixture.ts';
import { startProcess, type Process } from './operator/process.ts';
import { startWorld, type World } from './operator/world.ts';

const NODE = 'transfer-node';

describe('the value of a right, on a real API server', () => {
  let server: ApiServer;
  let world: World;
  let operator: Process;
  const [ours, theirs] = ['transfer-ours', 'transfer-theirs'];

  before(async () => {
    server = await apiServer();
    world = await startWorld(server.client);
    operator = await startProcess(server);
    for (const name of [ours, theirs]) {
      await server.client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    await world.addNode(NODE);
  });
  after(async () => {
    await operator.stop();
    await world.stop();
  });

  async function create(namespace: string, name: string, spec: object = {}): Promise<void> {
    await server.client.create({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { namespace, name, labels: { [LABEL_NODE]: NODE } },
      spec: { nodeName: NODE, contact: 'ops@example.org', ...spec },
    });
  }

  async function secret(namespace: string, name: string, type: string, value: string): Promise<void> {
    const data = { value: Buffer.from(value).toString('base64') };
    await server.client.create<Secret>({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, type, data });
  }

  const get = (namespace: string, name: string) =>
    server.client.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name });

  async function eventually(namespace: string, name: string, field: 'valueDigest' | 'redeemDigest') {
    let found: ResourceCapability | undefined;
    await until(`${field} of ${name}`, async () => {
      found = await get(namespace, name);
      assert.match(found?.status?.[field] ?? '', /^[0-9a-f]{64}$/);
    });
    return found!;
  }

  it('passes a right to whoever shows it, and tells nobody else anything', async () => {
    await create(ours, 'gift', { resources: { cpu: { shares: 70 } }, valueSecret: 'gift-value' });
    const gift = await eventually(ours, 'gift', 'valueDigest');
    const made = await server.client.get<Secret>(Resources.Secret, { namespace: ours, name: 'gift-value' });
    const value = Buffer.from(made!.data!['value']!, 'base64').toString();
    assert.match(value, /^[0-9a-f]{32}$/);
    assert.deepEqual([made!.type, made!.immutable], [SECRET_TYPE, true]);
    assert.equal(made!.metadata.ownerReferences![0]!.uid, gift.metadata.uid);
    assert.equal(gift.status!.valueDigest, digestOf(value));
    assert.ok(!JSON.stringify(gift).includes(value), 'the value itself is nowhere in the object');

    await secret(theirs, 'plain', 'Opaque', value);
    await secret(theirs, 'false', SECRET_TYPE, 'f'.repeat(32));
    await secret(theirs, 'true', SECRET_TYPE, value);
    for (const name of ['missing', 'plain', 'false', 'true']) await create(theirs, `with-${name}`, { redeem: name });
    const takers = [];
    for (const name of ['missing', 'plain', 'false', 'true']) {
      takers.push(await eventually(theirs, `with-${name}`, 'redeemDigest'));
    }
    assert.deepEqual(
      takers.map(({ status }) => status!.redeemDigest === gift.status!.valueDigest),
      [false, false, false, true],
    );

    // what the node makes of these very objects
    const decide = (ledger: Ledger, rcaps: ResourceCapability[]) => admit(ledger, rcaps, { nodeName: NODE }).ledger;
    const held = decide(EMPTY_LEDGER, [bare(gift)]);
    const after = decide(held, [bare(gift), ...takers.map(bare)]);
    const reasons = after.entries.map(({ name, grant, refusal }) => [name, grant?.amounts.shares ?? refusal?.reason]);
    assert.deepEqual(
      new Map(reasons as [string, unknown][]),
      new Map<string, unknown>([
        ['gift', 'Transferred'],
        ['with-missing', 'NotRedeemable'],
        ['with-plain', 'NotRedeemable'],
        ['with-false', 'NotRedeemable'],
        ['with-true', 70],
      ]),
    );
  });

  it('is never put into somebody else’s Secret', async () => {
    await secret(ours, 'taken', 'Opaque', 'mine');
    await create(ours, 'wants-taken', { valueSecret: 'taken' });
    await until('an event', () => {
      assert.ok(operator.events.some(({ reason }) => reason === 'NameTaken'));
      return Promise.resolve();
    });
    assert.equal((await get(ours, 'wants-taken'))!.status!.valueDigest, undefined);
    const found = await server.client.get<Secret>(Resources.Secret, { namespace: ours, name: 'taken' });
    assert.equal(found!.data!['value'], Buffer.from('mine').toString('base64'));
  });

  it('is forgotten when it is wanted no more', async () => {
    await create(ours, 'withdrawn', { valueSecret: 'withdrawn-value' });
    await eventually(ours, 'withdrawn', 'valueDigest');
    const patch = { spec: { valueSecret: null } };
    await server.client.patch(Resources.ResourceCapability, { namespace: ours, name: 'withdrawn' }, patch);
    await until('no digest', async () => {
      assert.equal((await get(ours, 'withdrawn'))!.status!.valueDigest, undefined);
    });
    assert.ok((await get(ours, 'withdrawn'))!.status!.granted, 'what the node wrote stays');
    const again = { spec: { valueSecret: 'withdrawn-value' } };
    await server.client.patch(Resources.ResourceCapability, { namespace: ours, name: 'withdrawn' }, again);
    await until('an event', () => {
      assert.ok(operator.events.some(({ reason, about }) => reason === 'NameTaken' && about === 'withdrawn'));
      return Promise.resolve();
    });
    assert.equal((await get(ours, 'withdrawn'))!.status!.valueDigest, undefined);
  });

  it('outlives edits that leave its name, however many come at once, also while it is made', async () => {
    await create(ours, 'kept', { valueSecret: 'kept-value' });
    const edit = async (spec: object) =>
      await server.client.patch(Resources.ResourceCapability, { namespace: ours, name: 'kept' }, { spec });
    const crowd = async () => {
      for (let n = 0; n < 20; n++) await edit({ contact: `other${n}@example.org` });
    };
    await crowd();
    const { valueDigest } = (await eventually(ours, 'kept', 'valueDigest')).status!;
    await crowd();
    // an edit that it has an answer to comes after those
    await create(theirs, 'after', { redeem: 'nothing' });
    await eventually(theirs, 'after', 'redeemDigest');
    assert.equal((await get(ours, 'kept'))!.status!.valueDigest, valueDigest);
    assert.ok(!operator.events.some(({ reason, about }) => reason === 'NameTaken' && about === 'kept'));
  });

  /** Without what the stand-in for the node wrote. */
  function bare({ status, ...rcap }: ResourceCapability): ResourceCapability {
    const { granted: _, conditions: __, observedGeneration: ___, ...digests } = status ?? {};
    return { ...rcap, status: digests };
  }
});
