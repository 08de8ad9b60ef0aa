/** Good and bad objects: the same ones are judged by the TypeScript rules and by real API servers. */
import { API_VERSION } from '../../crds/names.ts';
import type {
  Override,
  ResourceCapability,
  Restraint,
  Sensor,
  SensorSpec,
  Slice,
  SliceNode,
  SliceNodePolicy,
  SliceSpec,
  Watchdog,
} from '../../crds/types.ts';

export function slice(spec: Partial<SliceSpec> = {}, name = 'measure'): Slice {
  return {
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name, namespace: 'default' },
    spec: { contact: 'ops@example.org', sliver: { image: 'debian:bookworm-slim' }, ...spec },
  };
}

export function capability(spec: Partial<ResourceCapability['spec']> = {}): ResourceCapability {
  return {
    apiVersion: API_VERSION,
    kind: 'ResourceCapability',
    metadata: { name: 'right', namespace: 'default' },
    spec: { nodeName: 'node1', contact: 'ops@example.org', ...spec },
  };
}

export function sliceNode(spec: SliceNode['spec'] = {}): SliceNode {
  return { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name: 'node1' }, spec };
}

const image = 'debian:bookworm-slim';

export function restraint(spec: Partial<Restraint['spec']> = {}): Restraint {
  const metadata = { name: 'abuse-1' };
  return { apiVersion: API_VERSION, kind: 'Restraint', metadata, spec: { namespace: 'default', reason: 'x', ...spec } };
}

export function watchdog(spec: Partial<Watchdog['spec']> = {}): Watchdog {
  const terms = { read: { sensor: 'bandwidth', column: 'bytes' }, above: '1G', action: 'Suspend', ...spec } as const;
  return { apiVersion: API_VERSION, kind: 'Watchdog', metadata: { name: 'daily' }, spec: terms };
}

export function goodSlices(): [string, Slice][] {
  return [
    ['the least there is', slice()],
    ['a name of 52 characters', slice({}, 'a'.repeat(52))],
    ['all shares', slice({ resources: { cpu: { shares: 1000, excess: 'None' } } })],
    ['a guarantee equal to the limit', slice({ resources: { egress: { guarantee: '10M', limit: 10_000_000 } } })],
    ['a guarantee above the default limit', slice({ resources: { egress: { guarantee: '20M' } } })],
    ['the short form', slice({ share: 100 })],
    ['no node at all', slice({ placement: { count: 0 } })],
    ['spreading', slice({ placement: { policy: 'Spread', topologyKey: 'topology.kubernetes.io/zone' } })],
    ['an open window', slice({ window: { end: '2099-01-01T00:00:00+01:00' } })],
    ['a boot script of 64 KiB', slice({ sliver: { image, bootScript: 'x'.repeat(65_536) } })],
    ['a boot script with $(X) and quotes', slice({ sliver: { image, bootScript: `echo $(X) "it's" \`id\`\n` } })],
    ['a percentage', slice({ update: { maxUnavailable: '25%' } })],
    ['the host network, which the operator judges', slice({ sliver: { image, network: 'Host' } })],
    [
      'overrides for a group and a node',
      slice({
        resources: { egress: { limit: '10M' } },
        overrides: [
          { name: 'big', nodeSelector: { size: 'big' }, resources: { cpu: { shares: 300 }, ports: [] } },
          { name: 'uplink', node: 'node1', resources: { egress: { guarantee: '20M', limit: '30M' } } },
          { name: 'own-address', node: 'node1', resources: { network: 'Host' } },
        ],
      }),
    ],
    ['the host network, said twice', slice({ resources: { network: 'Host' }, sliver: { image, network: 'Host' } })],
  ];
}

/** What is wrong, the object, and where a violation must be found. */
export function badSlices(): [string, Slice, string][] {
  const over = (one: Partial<Override>, spec: Partial<SliceSpec> = {}): Slice => {
    return slice({ ...spec, overrides: [{ name: 'big', node: 'node1', resources: {}, ...one }] });
  };
  const past = { start: '2030-01-01T00:00:00Z', end: '2020-01-01T00:00:00Z' };
  return [
    [
      'a guarantee above the limit',
      slice({ resources: { egress: { guarantee: '2M', limit: '1M' } } }),
      'spec.resources.egress',
    ],
    ['a limit below the default guarantee', slice({ resources: { egress: { limit: '1k' } } }), 'spec.resources.egress'],
    ['a window that ends before it starts', slice({ window: past }), 'spec.window'],
    ['a time without a zone', slice({ window: { start: '2030-01-01T00:00:00' } }), 'spec.window.start'],
    ['a time after the year 9999', slice({ window: { end: '9999-12-31T23:59:59-23:00' } }), 'spec.window.end'],
    ['more than 256 KiB', slice({ sliver: { image, args: Array(80).fill('x'.repeat(4096)) } }), 'spec'],
    ['0 shares', slice({ resources: { cpu: { shares: 0 } } }), 'spec.resources.cpu.shares'],
    ['1001 shares', slice({ resources: { cpu: { shares: 1001 } } }), 'spec.resources.cpu.shares'],
    ['half a share', slice({ resources: { cpu: { shares: 0.5 } } }), 'spec.resources.cpu.shares'],
    ['a negative guarantee', slice({ resources: { egress: { guarantee: -1 } } }), 'spec.resources.egress.guarantee'],
    ['words for a rate', slice({ resources: { egress: { guarantee: 'fast' } } }), 'spec.resources.egress.guarantee'],
    ['resources and share', slice({ share: 1, resources: {} }), 'spec'],
    [
      'the same port twice',
      slice({
        resources: {
          ports: [
            { protocol: 'TCP', port: 5000 },
            { protocol: 'TCP', port: 5000 },
          ],
        },
      }),
      'spec.resources.ports',
    ],
    ['port 0', slice({ resources: { ports: [{ protocol: 'TCP', port: 0 }] } }), 'spec.resources.ports'],
    ['a name of 53 characters', slice({}, 'a'.repeat(53)), 'metadata.name'],
    ['a name with a dot', slice({}, 'a.b'), 'metadata.name'],
    ['another network than the sliver’s', slice({ resources: { network: 'Host' } }), 'spec'],
    ['an override for nothing', over({ node: undefined }), 'spec.overrides'],
    ['an override for a node and a group', over({ nodeSelector: { a: 'b' } }), 'spec.overrides'],
    ['an override for a group of all', over({ node: undefined, nodeSelector: {} }), 'spec.overrides'],
    ['an override with 1001 shares', over({ resources: { cpu: { shares: 1001 } } }), 'spec.overrides'],
    ['an override that says nothing', over({ resources: undefined }), 'spec.overrides'],
    ['an override of two words', over({ name: 'a b' }), 'spec.overrides'],
    [
      'two overrides of one name',
      slice({ overrides: ['n1', 'n2'].map((node) => ({ name: 'big', node, resources: {} })) }),
      'spec.overrides',
    ],
    [
      '65 overrides',
      slice({ overrides: Array.from({ length: 65 }, (_, i) => ({ name: `o${i}`, node: 'n', resources: {} })) }),
      'spec.overrides',
    ],
    [
      'an override whose limit is below its guarantee',
      over({ resources: { egress: { guarantee: '2M', limit: '1M' } } }),
      'spec.overrides[big].resources.egress',
    ],
    [
      'an override whose guarantee is above the slice’s limit',
      over({ resources: { egress: { guarantee: '2M' } } }, { resources: { egress: { limit: '1M' } } }),
      'spec.overrides[big].resources.egress',
    ],
    [
      'an override whose limit is below the slice’s guarantee',
      over({ resources: { egress: { limit: '1M' } } }, { resources: { egress: { guarantee: '2M' } } }),
      'spec.overrides[big].resources.egress',
    ],
    [
      'an override whose limit is below what share guarantees',
      over({ resources: { egress: { limit: '9999k' } } }, { share: 100 }),
      'spec.overrides[big].resources.egress',
    ],
    ['no contact', slice({ contact: undefined as unknown as string }), 'spec.contact'],
    ['no image', slice({ sliver: {} as SliceSpec['sliver'] }), 'spec.sliver.image'],
    ['a negative count', slice({ placement: { count: -1 } }), 'spec.placement.count'],
    ['Spread without a topologyKey', slice({ placement: { policy: 'Spread' } }), 'spec.placement'],
    ['NUL in the boot script', slice({ sliver: { image, bootScript: 'a\0b' } }), 'spec.sliver.bootScript'],
    [
      'a boot script over 64 KiB',
      slice({ sliver: { image, bootScript: 'x'.repeat(65_537) } }),
      'spec.sliver.bootScript',
    ],
    [
      'a boot script over 64 KiB in bytes',
      slice({ sliver: { image, bootScript: 'é'.repeat(40_000) } }),
      'spec.sliver.bootScript',
    ],
    ['a boot script and a command', slice({ sliver: { image, bootScript: 'x', command: ['y'] } }), 'spec.sliver'],
    [
      'a variable with two values',
      slice({
        sliver: { image, env: [{ name: 'A', value: 'b', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
      }),
      'spec.sliver.env',
    ],
    ['a volume of no kind', slice({ sliver: { image, volumes: [{ name: 'v' }] } }), 'spec.sliver.volumes'],
    ['maxUnavailable of 0', slice({ update: { maxUnavailable: 0 } }), 'spec.update.maxUnavailable'],
    ['maxUnavailable of 0%', slice({ update: { maxUnavailable: '0%' } }), 'spec.update.maxUnavailable'],
  ];
}

export function badCapabilities(): [string, ResourceCapability][] {
  return [
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

export function badRestraints(): [string, Restraint][] {
  return [
    ['no effect', restraint()],
    ['suspended: false alone', restraint({ suspended: false })],
    ['no namespace', restraint({ namespace: '', suspended: true })],
    ['no reason', restraint({ reason: '', suspended: true })],
    ['a limit that is no quantity', restraint({ egressLimit: 'slow' })],
  ];
}

export function badWatchdogs(): [string, Watchdog][] {
  return [
    ['a throttle without a limit', watchdog({ action: 'Throttle' })],
    ['a limit and no throttle', watchdog({ egressLimit: '1M' })],
    ['a lift above its limit', watchdog({ lift: { below: '2G' } })],
    ['a limit below nothing', watchdog({ above: -1 })],
    ['an action nobody knows', watchdog({ action: 'Scold' as 'Suspend' })],
    ['a period of a second', watchdog({ periodSeconds: 1 })],
    ['a period in which it would hardly read', watchdog({ periodSeconds: 59 })],
    ['a period in which it is told to read but five times', watchdog({ periodSeconds: 300, everySeconds: 60 })],
    ['no namespaces at all', watchdog({ namespaces: [] })],
  ];
}

export function sensor(spec: Partial<SensorSpec> = {}): Sensor {
  const columns: SensorSpec['columns'] = [{ name: 'value', type: 'number' }];
  return {
    apiVersion: API_VERSION,
    kind: 'Sensor',
    metadata: { name: 'measure', namespace: 'default' },
    spec: { columns, ...spec },
  };
}

export function goodSensors(): [string, Sensor][] {
  return [
    ['a file', sensor({ file: { path: '/proc/sys/net/ipv4/ip_forward' }, format: 'Value' })],
    ['a command', sensor({ slice: 'probe', command: { argv: ['date'] }, type: 'Streaming' })],
    ['a page', sensor({ slice: 'probe', http: { port: 8080 }, access: 'Slices', slices: ['a/b.c'] })],
  ];
}

export function badSensors(): [string, Sensor][] {
  const command = { slice: 'probe', command: { argv: ['date'] } };
  const file = { file: { path: '/proc/stat' } };
  const columns: SensorSpec['columns'] = [{ name: 'value', type: 'string' }];
  return [
    ['no source', sensor()],
    ['two sources', sensor({ ...command, http: { port: 80 } })],
    ['a command and no slice', sensor({ command: command.command })],
    ['a file and a slice', sensor({ ...file, slice: 'probe' })],
    ['readers of what is public', sensor({ ...command, slices: ['a/b'] })],
    ['a file that streams', sensor({ ...file, type: 'Streaming' })],
    ['a stream of keys', sensor({ ...command, type: 'Streaming', format: 'KeyValue' })],
    [
      'a value of two columns',
      sensor({ ...file, format: 'Value', columns: [...columns, { name: 'b', type: 'time' }] }),
    ],
    [
      'more than 8192 characters',
      sensor({ ...command, command: { argv: Array.from({ length: 20 }, () => 'x'.repeat(1000)) } }),
    ],
    [
      'two columns of one field',
      sensor({ ...file, columns: [...columns, { name: 'b', field: 'value', type: 'number' }] }),
    ],
    [
      'eleven labels',
      sensor({
        ...file,
        export: true,
        columns: Array.from({ length: 11 }, (_, i) => ({ name: `c${i}`, type: 'string' as const })),
      }),
    ],
    ['a text as a metric', sensor({ ...file, columns: [{ name: 'value', type: 'string', metric: 'gauge' }] })],
    ['a file of somebody', sensor({ file: { path: '/etc/shadow' } })],
    ['a file that goes up', sensor({ file: { path: '/proc/../etc/shadow' } })],
    ['no argument', sensor({ slice: 'probe', command: { argv: [] } })],
    ['a column that is no name', sensor({ ...file, columns: [{ name: 'a b', type: 'string' }] })],
    ['a column twice', sensor({ ...file, columns: [...columns, ...columns] })],
    ['no columns', sensor({ ...file, columns: [] })],
    ['a page elsewhere', sensor({ slice: 'probe', http: { port: 80, path: 'http://other/' } })],
  ];
}
