/** Every reason for which a node refuses a right: told in the status, counted, logged, and nothing of it in the books. */
import assert from 'node:assert/strict';
import { CapabilityReason as Reason } from '../../crds/conditions.ts';
import type { ResourceCapabilitySpec, SliceNode, SliceNodeSpec } from '../../crds/types.ts';
import { Resources } from '../../kube/resources.ts';
import { decisions, logOf } from './nodelog.ts';
import { OWNERS_BUDGET, type Product } from './product.ts';
import { ask, grantedOf, readRight, rightOf } from './rights.ts';
import { sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf, whenCondition } from './slices.ts';

const NAMESPACE = 'refusals';
const NODE = 'node1';

interface Refusal {
  reason: string;
  /** What of it, where a reason has several. */
  of?: string;
  /** What the node's owner says meanwhile. */
  policy?: SliceNodeSpec;
  /** Rights that are granted before. */
  before?: Record<string, Partial<ResourceCapabilitySpec>>;
  /** An edit of the right of this name rather than a new one; the old grant then holds. */
  edits?: string;
  spec: Partial<ResourceCapabilitySpec>;
  says: RegExp;
}

const shares = (n: number): Partial<ResourceCapabilitySpec> => ({ resources: { cpu: { shares: n } } });
const port = (number: number): Partial<ResourceCapabilitySpec> => ({
  resources: { ports: [{ protocol: 'TCP', port: number }] },
});
/** Counted from when the file is read: hours before its tests come where the suites before are slow. */
const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\..*/, 'Z');

const REFUSALS: Refusal[] = [
  { reason: Reason.InsufficientShares, policy: { shares: 40 }, spec: shares(50), says: /^asks 50, \d+ of 40 free$/ },
  {
    reason: Reason.InsufficientEgress,
    policy: { egressLimit: '10M' },
    spec: { resources: { egress: { guarantee: '20M', limit: '20M' } } },
    says: /^asks 20 Mbit\/s, .* of .* free$/,
  },
  {
    reason: Reason.InsufficientMemory,
    policy: { memory: '64Mi' },
    spec: { resources: { memory: '128Mi' } },
    says: /^asks 128 MiB, .* of 64 MiB free$/,
  },
  {
    reason: Reason.InsufficientDisk,
    policy: { disk: '64Mi' },
    spec: { resources: { disk: '128Mi' } },
    says: /^asks 128 MiB, .* of 64 MiB free$/,
  },
  { reason: Reason.InsufficientPods, policy: { pods: 0 }, spec: shares(1), says: /^asks 1, 0 of 0 free$/ },
  {
    reason: Reason.PortInUse,
    before: { first: { ...port(20_001), window: { end: inHours(12) } } },
    spec: port(20_001),
    says: /^TCP port 20001 belongs to refusals\/first until /,
  },
  { reason: Reason.PortNotOffered, spec: port(80), says: /80/ },
  {
    reason: Reason.PrivilegeNotOffered,
    policy: { privileges: [] },
    spec: { resources: { privileges: ['RawSockets'] } },
    says: /^RawSockets is not among .*: none$/,
  },
  {
    reason: Reason.HostNetworkNotOffered,
    spec: { resources: { network: 'Host' } },
    says: /lets no sliver use the node's own address/,
  },
  {
    reason: Reason.NamespaceBudget,
    of: 'shares',
    policy: { budget: { shares: 10 } },
    spec: shares(20),
    says: /^asks 20 shares, 10 of 10 left for namespace refusals$/,
  },
  {
    reason: Reason.NamespaceBudget,
    of: 'ports',
    policy: { budget: { ports: 0 } },
    spec: port(20_002),
    says: /^asks 1 ports, 0 of 0 left for namespace refusals$/,
  },
  {
    reason: Reason.NamespaceBudget,
    of: 'questions',
    policy: { budget: { pending: 0 } },
    spec: shares(1),
    says: /^namespace refusals has 0 rights here that were not granted, 0 are allowed/,
  },
  {
    reason: Reason.NamespaceRefused,
    policy: { namespaces: [{ name: NAMESPACE, refused: true }] },
    spec: shares(1),
    says: /^the node's owner refuses namespace refusals$/,
  },
  {
    reason: Reason.Blackout,
    policy: { blackouts: [{ start: inHours(24), end: inHours(25), reason: 'new disks' }] },
    spec: shares(1),
    says: /^no slice runs here from .* until .* \(new disks\): ask for a window without it$/,
  },
  { reason: Reason.WindowPast, spec: { window: { end: inHours(-1) } }, says: /^the window ended at / },
  { reason: Reason.NoParent, spec: { from: 'nobody' }, says: /holds no right nobody on this node/ },
  {
    reason: Reason.OutsideParent,
    before: { whole: { window: { end: inHours(12) } } },
    spec: { from: 'whole', window: { end: inHours(18) } },
    says: /^refusals\/whole holds until .*: the window must lie within that$/,
  },
  {
    reason: Reason.GivenAway,
    before: { whole: shares(50), part: { ...shares(30), from: 'whole' } },
    edits: 'whole',
    spec: shares(20),
    says: /asks 20, and 30 of it are split off/,
  },
  { reason: Reason.WrongNode, spec: { nodeName: 'node2' }, says: /^asks for node node2 with the label of node1/ },
];

describe('a node', () => {
  let product: Product;

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
  });
  afterEach(async () => {
    await product.kubectl('delete', 'rcap', '--all', '-n', NAMESPACE);
    await say({});
  });
  after(() => dropNamespace(product, NAMESPACE));

  /** The owner's whole policy: what an earlier one said and this does not is taken back. */
  async function say(policy: SliceNodeSpec): Promise<void> {
    const spec = { ...OWNERS_BUDGET, ...policy, budget: { ...OWNERS_BUDGET.budget, ...policy.budget } };
    await product.apply({
      apiVersion: 'slice-operator.io/v1alpha1',
      kind: 'SliceNode',
      metadata: { name: NODE },
      spec,
    });
    await product.until('the node to go by it', async () => {
      const { metadata, status } = (await sliceNode())!;
      return status?.observedGeneration === metadata.generation;
    });
  }
  const sliceNode = () => product.get<SliceNode>(Resources.SliceNode, { name: NODE });

  for (const { reason, of, policy, before = {}, edits, spec, says } of REFUSALS) {
    it(`refuses: ${reason}${of === undefined ? '' : `, of ${of}`}`, async () => {
      for (const [name, first] of Object.entries(before)) {
        const { status, message } = await ask(product, rightOf(NODE, NAMESPACE, name, first));
        assert.equal(status, 'True', message);
      }
      if (policy) await say(policy);
      const event = edits === undefined ? 'denied' : 'resizeDenied';
      const counted = await decisions(product, NODE, event, reason);
      const name = edits ?? 'asked';
      const verdict = await ask(product, rightOf(NODE, NAMESPACE, name, spec));
      if (edits === undefined) assert.deepEqual([verdict.status, verdict.reason], ['False', reason], verdict.message);
      else assert.deepEqual([verdict.status, verdict.reason], ['True', Reason.ResizeDenied], verdict.message);
      assert.match(verdict.message, says);
      await product.until('the answer to be counted', async () => {
        return (await decisions(product, NODE, event, reason)) === counted + 1;
      });
      const { metadata, status } = (await readRight(product, rightOf(NODE, NAMESPACE, name)))!;
      let logged: Record<string, unknown> | undefined;
      await product.until('the answer to be logged', async () => {
        logged = (await logOf(product, NODE)).find((line) => {
          return line.uid === metadata.uid && line.event === event && line.reason === reason;
        });
        return logged !== undefined;
      });
      assert.match(String(logged?.detail), says);
      assert.equal(status?.granted?.resources.cpu?.shares, edits && before[edits]!.resources?.cpu?.shares);
    });
  }

  it('grants what it refused once its owner thinks otherwise and it is asked anew', async () => {
    await say({ namespaces: [{ name: NAMESPACE, refused: true }] });
    const right = (contact: string) => rightOf(NODE, NAMESPACE, 'patient', { ...shares(5), contact });
    assert.equal((await ask(product, right('a@example.org'))).reason, Reason.NamespaceRefused);
    await say({});
    assert.equal((await grantedOf(product, right('a@example.org')))!.reason, Reason.NamespaceRefused);
    assert.equal((await ask(product, right('b@example.org'))).status, 'True');
  });

  it('is not even asked where two overrides do not fit with each other', async () => {
    const slice = sliceOf(product, NAMESPACE, 'torn', {
      resources: { egress: { guarantee: '1M', limit: '50M' } },
      overrides: [
        { name: 'much', nodeSelector: { 'kubernetes.io/os': 'linux' }, resources: { egress: { guarantee: '20M' } } },
        { name: 'little', node: NODE, resources: { egress: { limit: '10M' } } },
      ],
    });
    await product.apply(slice);
    const { message } = await whenCondition(
      product,
      slice,
      'Allocated',
      ({ reason }) => reason === 'OverridesConflict',
    );
    assert.match(message, /node1/);
    await product.kubectl('delete', 'slice', '-n', NAMESPACE, 'torn', '--timeout=350s');
  });
});
