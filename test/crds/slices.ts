/** Good and bad Slices: the same ones are judged by the TypeScript rules and by real API servers. */
import { API_VERSION } from '../../crds/names.ts';
import type { Override, Slice, SliceSpec } from '../../crds/types.ts';

const image = 'debian:bookworm-slim';

export function slice(spec: Partial<SliceSpec> = {}, name = 'measure'): Slice {
  return {
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name, namespace: 'default' },
    spec: { contact: 'ops@example.org', sliver: { image: 'debian:bookworm-slim' }, ...spec },
  };
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
