/** Bad rights, restraints, nodes and policies: the same ones are judged by the TypeScript rules and by real API servers. */
import { API_VERSION } from '../../crds/names.ts';
import type { ResourceCapability, Restraint, SliceNode, SliceNodePolicy } from '../../crds/types.ts';

export function capability(spec: Partial<ResourceCapability['spec']> = {}): ResourceCapability {
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: { name: 'right', namespace: 'default' },
    spec: { nodeName: 'node1', contact: 'ops@example.org', ...spec },
  };
}

export function badCapabilities(): [string, ResourceCapability][] {
  return [
    ['a name that no Slice can have', capability({ sliceName: 'web.v2' })],
    ['from and redeem', capability({ from: 'a', redeem: 'b' })],
    ['no node', capability({ nodeName: '' })],
    ['a guarantee above its limit', capability({ resources: { egress: { guarantee: '2M', limit: '1M' } } })],
    [
      'a window that ends before it starts',
      capability({ window: { start: '2030-01-01T00:00:00Z', end: '2029-01-01T00:00:00Z' } }),
    ],
    ['a privilege nobody knows', capability({ resources: { privileges: ['Root' as 'Audit'] } })],
    ['a suspension without a reason', capability({ suspended: {} as { reason: string } })],
    ['a suspension for no reason', capability({ suspended: { reason: '' } })],
    ['a privilege twice', capability({ resources: { privileges: ['Audit', 'Audit'] } })],
  ];
}

export function restraint(spec: Partial<Restraint['spec']> = {}): Restraint {
  const metadata = { name: 'abuse-1' };
  return { apiVersion: API_VERSION, kind: 'Restraint', metadata, spec: { namespace: 'default', reason: 'x', ...spec } };
}

export function badRestraints(): [string, Restraint][] {
  return [
    ['no effect', restraint()],
    ['suspended: false alone', restraint({ suspended: false })],
    ['no namespace', restraint({ namespace: '', suspended: true })],
    ['no reason', restraint({ reason: '', suspended: true })],
    ['a limit that is no quantity', restraint({ egressLimit: 'slow' })],
  ];
}

export function sliceNode(spec: SliceNode['spec'] = {}): SliceNode {
  return { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name: 'node1' }, spec };
}

export function badSliceNodes(): [string, SliceNode][] {
  return [
    ['more shares than there are', sliceNode({ shares: 1001 })],
    ['an interface that is none', sliceNode({ lines: [{ interface: 'eth0; reboot' }] })],
    ['NodePorts that end before they begin', sliceNode({ nodePorts: { from: 2, to: 1 } })],
    ['a range that ends before it begins', sliceNode({ ports: [{ protocol: 'TCP', from: 2, to: 1 }] })],
    [
      'a blackout that ends before it starts',
      sliceNode({ blackouts: [{ start: '2030-01-01T00:00:00Z', end: '2029-01-01T00:00:00Z' }] }),
    ],
    ['an exempt destination that is none', sliceNode({ exempt: { destinations: ['10.0.0.0/33'] } })],
    ['a page at an address that is none', sliceNode({ audit: { page: { address: '1.2.3', port: 8080 } } })],
    ['a namespace twice', sliceNode({ namespaces: [{ name: 'a' }, { name: 'a', refused: true }] })],
  ];
}

export function sliceNodePolicy(
  policy: SliceNodePolicy['spec']['policy'] = {},
  spec: Partial<SliceNodePolicy['spec']> = {},
  name = 'racks',
): SliceNodePolicy {
  return { apiVersion: API_VERSION, kind: 'SliceNodePolicy', metadata: { name }, spec: { policy, ...spec } };
}

export function badSliceNodePolicies(): [string, SliceNodePolicy][] {
  const wrong = badSliceNodes().map(([what, { spec }]): [string, SliceNodePolicy] => [what, sliceNodePolicy(spec)]);
  return [
    ...wrong,
    ['no policy', { ...sliceNodePolicy(), spec: {} as SliceNodePolicy['spec'] }],
    ['a priority that is none', sliceNodePolicy({}, { priority: 1.5 })],
    ['more than all reserved', sliceNodePolicy({ reserved: { percent: 101, namespaces: [] } })],
    ['a reserve for nobody', sliceNodePolicy({ reserved: { percent: 10 } as never })],
  ];
}
