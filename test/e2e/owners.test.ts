/** Owners who decide: defaults for many nodes, a part for experiments, rights taken back, and the command on the node. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { getCondition } from '../../crds/conditions.ts';
import { API_VERSION, LABEL_NODE } from '../../crds/names.ts';
import type { ResourceCapability, SliceNode, SliceNodeSpec } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { NAMESPACE as RELEASE } from '../chart/render.ts';
import { killComponent, startComponent } from '../cluster/components.ts';
import { runInNode } from '../cluster/node.ts';
import { heldOf } from './kernel.ts';
import { findProcesses, killProcess, scaleOperator, whenAnother } from './operator.ts';
import type { Product } from './product.ts';
import { sharedProduct } from './shared.ts';
import {
  dropNamespace,
  freshNamespace,
  readSlice,
  sliceOf,
  type Sliver,
  sliversOf,
  whenCondition,
  whenReady,
} from './slices.ts';

const NAMESPACE = 'owners';
const LAB = 'owners-lab';
const SUSPENDED = 'owners-suspended';
const NODE = 'node1';
const POLICIES = ['owners-all', 'owners-first'];
/** Fields that these tests set: taken out again after each. */
const CLEAN = { shares: null, egressLimit: null, reserved: null, evict: null };

describe('the owner of a node', () => {
  let product: Product;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    await freshNamespace(product, LAB);
  });
  afterEach(async () => {
    await product.kubectl('delete', 'slp', ...POLICIES, '--ignore-not-found');
    await say(CLEAN);
    await product.kubectl('delete', 'rcap', '--all', '-n', NAMESPACE);
    await product.kubectl('delete', 'rcap', '--all', '-n', LAB);
  });
  after(async () => {
    await dropNamespace(product, NAMESPACE);
    await dropNamespace(product, LAB);
  });

  const say = (spec: SliceNodeSpec | typeof CLEAN): Promise<string> =>
    product.kubectl('patch', 'sln', NODE, '--type=merge', '-p', JSON.stringify({ spec }));
  const sliceNode = async (name: string = NODE) => (await product.get<SliceNode>(Resources.SliceNode, { name }))!;
  /** Whether its last status is of what its owner said last. */
  const isHeard = async (): Promise<boolean> => {
    const { metadata, status } = await sliceNode();
    return status?.observedGeneration === metadata.generation;
  };
  const policy = (name: string, spec: object): Promise<void> =>
    product.apply({ apiVersion: API_VERSION, kind: 'SliceNodePolicy', metadata: { name }, spec });
  const egress = async (name: string) => (await sliceNode(name)).status?.offered?.egress;
  const grantedOf = async (name: string, namespace = NAMESPACE) => {
    const rcap = await product.get<ResourceCapability>(Resources.ResourceCapability, { namespace, name });
    return getCondition(rcap?.status?.conditions, 'Granted');
  };

  /** Asks for shares of the node, and answers what it said. */
  async function ask(name: string, shares: number, namespace = NAMESPACE) {
    await product.apply({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { name, namespace, labels: { [LABEL_NODE]: NODE } },
      spec: { nodeName: NODE, contact: 'e2e@example.org', resources: { cpu: { shares } } },
    });
    await product.until(`an answer to ${name}`, async () => (await grantedOf(name, namespace)) !== undefined);
    return (await grantedOf(name, namespace))!;
  }

  it('says once what holds for many nodes, and for one node something else', async () => {
    await product.until('the default', async () => (await egress('node2')) === '100M');
    await policy('owners-all', { policy: { egressLimit: '60M' } });
    for (const name of [NODE, 'node2'])
      await product.until(`60M on ${name}`, async () => (await egress(name)) === '60M');
    await policy('owners-first', {
      nodeSelector: { 'kubernetes.io/hostname': NODE },
      priority: 1,
      policy: { egressLimit: '40M' },
    });
    await product.until('40M on the one', async () => (await egress(NODE)) === '40M');
    assert.equal(await egress('node2'), '60M');
    assert.deepEqual((await sliceNode()).status!.defaults!.policies, ['owners-first', 'owners-all']);
    await product.kubectl('wait', 'slp', ...POLICIES, '--for=condition=Ready', '--timeout=350s');
    const reach = await product.kubectl('get', 'slp', 'owners-first', '-o', 'jsonpath={.status.nodes}');
    assert.deepEqual(JSON.parse(reach), { matching: 1, inForce: 1 });
    await say({ egressLimit: '50M' });
    await product.until('what the SliceNode says', async () => (await egress(NODE)) === '50M');
    await product.kubectl('delete', 'slp', ...POLICIES);
    await product.until('the default again', async () => (await egress('node2')) === '100M');
  });

  const slicesCeil = async (node: string): Promise<number | undefined> => {
    const shown = await runInNode(product.cluster, node, ['tc', 'class', 'show', 'dev', 'eth0']);
    const [, ceil, unit] = /^class htb 1:10 .* ceil ([\d.]+)([KMG])bit/m.exec(shown) ?? [];
    return ceil === undefined ? undefined : Number(ceil) * { K: 1e3, M: 1e6, G: 1e9 }[unit as 'K' | 'M' | 'G'];
  };

  it('keeps a part of the node for experiments: others can’t get it, and those can', async () => {
    await say({ reserved: { percent: 50, namespaces: [LAB] } });
    await product.until('the reserve, of an empty node', async () => {
      const { freeToOthers, granted } = (await sliceNode()).status ?? {};
      return (await isHeard()) && freeToOthers !== undefined && granted?.shares === 0;
    });
    const { free, freeToOthers } = (await sliceNode()).status!;
    assert.ok(freeToOthers!.shares! < free!.shares!);
    const refused = await ask('too-much', freeToOthers!.shares! + 1);
    assert.equal(refused.reason, 'InsufficientShares');
    assert.match(refused.message, /50 % of \d+ is reserved for others$/);
    assert.equal((await ask('fits', freeToOthers!.shares!)).status, 'True');
    assert.equal((await ask('experiment', free!.shares! - freeToOthers!.shares!, LAB)).status, 'True');
  });

  it('offers less: nothing goes and nothing new comes; with evict the youngest go, each with its reason', async () => {
    await product.until('the node to be empty', async () => {
      return (await isHeard()) && (await sliceNode()).status?.granted?.shares === 0;
    });
    for (const name of ['oldest', 'middle', 'youngest']) {
      assert.equal((await ask(name, 20)).status, 'True');
      // the age of a right is told in milliseconds: no two of them are of one
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await say({ shares: 45 });
    const within = async () => getCondition((await sliceNode()).status?.conditions, 'WithinOffer')!;
    await product.until('the overcommitment to be told', async () => (await within()).status === 'False');
    assert.match((await within()).message, /evict would take back 1 right$/);
    for (const name of ['oldest', 'middle', 'youngest']) assert.equal((await grantedOf(name))!.status, 'True', name);
    assert.equal((await ask('new', 1)).reason, 'InsufficientShares');
    await say({ evict: true });
    await product.until('the youngest to go', async () => (await grantedOf('youngest'))!.reason === 'Evicted');
    assert.match((await grantedOf('youngest'))!.message, /it has 20, and older rights leave 5 of \d+ shares/);
    for (const name of ['oldest', 'middle']) assert.equal((await grantedOf(name))!.status, 'True', name);
    await product.until('it to fit', async () => (await within()).status === 'True');
    await product.until('an Event', async () => {
      const argv = [
        '-n',
        NAMESPACE,
        '--field-selector',
        'reason=Evicted',
        '-o',
        'jsonpath={.items[*].involvedObject.name}',
      ];
      return (await product.kubectl('get', 'events', ...argv)) === 'youngest';
    });
  });

  describe('on the node itself', () => {
    let sliver: Sliver;
    let container: string;
    const slice = () => sliceOf(product, SUSPENDED, 'loud', { sliver: { terminationGracePeriodSeconds: 1 } });

    before(async () => {
      await freshNamespace(product, SUSPENDED);
      await product.apply(slice());
      await whenReady(product, slice());
      sliver = (await sliversOf(product, slice())).find(({ node }) => node === NODE)!;
      await find();
    });
    after(async () => {
      await find(); // it was killed, and whoever killed it may not have seen the next one
      await command('resume', `${SUSPENDED}/loud`);
      await command('cap', 'none');
      await dropNamespace(product, SUSPENDED);
    });

    /** The node manager's container on the node, by its id there. */
    async function find(): Promise<void> {
      const selector = ['-l', 'app.kubernetes.io/component=node', '--field-selector', `spec.nodeName=${NODE}`];
      const id = 'jsonpath={.items[0].status.containerStatuses[?(@.name=="node-manager")].containerID}';
      await product.until(
        'the node manager to run',
        async () => {
          container = (await product.kubectl('get', 'pods', '-n', RELEASE, ...selector, '-o', id)).replace(/^.*\//, '');
          // its status may still name the one that was before
          return container !== '' && (await command('help').catch(() => '')) !== '';
        },
        240_000,
      );
    }
    /** As root on the node, by the container runtime: there is nobody to ask for leave, and nothing to ask by. */
    const command = (...argv: string[]): Promise<string> => {
      const exec = ['ctr', '-n', 'k8s.io', 'tasks', 'exec', '--exec-id', randomUUID().slice(0, 8), container];
      return runInNode(product.cluster, NODE, [...exec, 'slice-node', ...argv]);
    };
    const frozen = (): boolean => heldOf(product.cluster, NODE, sliver.pod.metadata.uid!).frozen;

    it('lists slivers by kubectl exec, too', async () => {
      const argv = ['exec', 'ds/slice-operator-node', '-n', RELEASE, '--', 'slice-node', 'ls'];
      assert.match(await product.kubectl(...argv), /^SLIVER +SLICE +STANDING +WHY/);
      assert.match(await command('ls'), /owners-suspended\/loud-\w+ +loud +entitled +-/);
    });

    it('suspends a slice there, which its author can’t undo; the statuses say who and why', async () => {
      assert.match(await command('suspend', `${SUSPENDED}/loud`, 'too', 'loud'), /its pod here is held down/);
      await product.until('the sliver to be frozen', async () => frozen(), 180_000);
      const { message } = await whenCondition(product, slice(), 'Ready', ({ reason }) => reason === 'Suspended');
      assert.match(
        message,
        /^1 of 2 running; node1: the right is kept, and suspended by the node's owner since .*: too loud/,
      );
      await product.until('the node to tell of the order', async () => {
        return (await sliceNode()).status?.orders?.suspended !== undefined;
      });
      const [suspended] = (await sliceNode()).status!.orders!.suspended!;
      assert.deepEqual([suspended!.namespace, suspended!.slice, suspended!.reason], [SUSPENDED, 'loud', 'too loud']);
      const edited = { ...slice(), spec: { ...slice().spec, contact: 'author@example.org', suspended: false } };
      await product.apply(edited);
      await whenCondition(product, edited, 'Ready', ({ reason }) => reason === 'Suspended');
      const before = await findProcesses(product, NODE, 'node-daemonset');
      await killProcess(product, NODE, 'node-daemonset');
      await whenAnother(product, NODE, 'node-daemonset', before);
      await find();
      assert.match(
        await command('ls'),
        /loud +frozen +Suspended[\s\S]*SUSPENDED[\s\S]*owners-suspended\/loud .* too loud/,
      );
      assert.ok(frozen());
      await product.apply(slice());
    });

    it('is not undone by taking the right out of the node’s sight and putting it back for another slice', async () => {
      const { name } = sliver.rcap.metadata;
      const edit = (patch: object): Promise<string> =>
        product.kubectl('patch', 'rcap', '-n', SUSPENDED, name, '--type=merge', '-p', JSON.stringify(patch));
      await scaleOperator(product, 0); // else it puts every edit back
      try {
        await edit({ metadata: { labels: { [LABEL_NODE]: null } }, spec: { sliceName: null } });
        await product.until('the node to lose sight of it', async () =>
          /loud +frozen +NotGranted/.test(await command('ls')),
        );
        await edit({ metadata: { labels: { [LABEL_NODE]: NODE } }, spec: { sliceName: 'quiet' } });
        await product.until('its refusal', async () => (await grantedOf(name, SUSPENDED))?.reason === 'InvalidSpec');
        assert.match((await grantedOf(name, SUSPENDED))!.message, /^it is bound to slice loud and stays so/);
        assert.ok(frozen());
        await edit({ spec: { sliceName: 'loud' } });
        await product.until('its grant', async () => (await grantedOf(name, SUSPENDED))?.status === 'True');
        assert.ok(frozen());
      } finally {
        await scaleOperator(product, 2);
      }
    });

    it('does all of it while the API server is away', async () => {
      await killComponent(product.cluster, 'kube-apiserver');
      try {
        assert.match(await command('resume', `${SUSPENDED}/loud`), /not suspended by the owner any more/);
        await product.until('the sliver to go on', async () => !frozen());
        assert.match(await command('cap', '20Mbit', 'the line is full'), /at most 20 Mbit/);
        await product.until('the kernel to have it', async () => (await slicesCeil(NODE)) === 20e6);
        assert.match(await command('ls'), /entitled[\s\S]*CAP 20 Mbit\/s since .*: the line is full/);
      } finally {
        await startComponent(product.cluster, 'kube-apiserver');
      }
      await whenReady(product, slice());
      await product.until('the cap to be told', async () => {
        const { offered, orders } = (await sliceNode()).status!;
        return orders?.cap?.egressLimit === '20M' && orders.suspended === undefined && offered?.egress === '20M';
      });
      await command('cap', 'none');
      await product.until('the policy to hold again', async () => (await slicesCeil(NODE)) === 100e6);
      assert.equal((await readSlice(product, slice()))!.spec.contact, 'e2e@example.org');
    });
  });
});
