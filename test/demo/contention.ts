/** Three slices on every node that all want everything at once, and the sinks that they send to. */
import { API_VERSION } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';

export const NAMESPACE = 'slice-demo';

/** 1:2:3 of the CPU and 5:10:20 of the line; the owner's limit leaves excess to be shared in that proportion. */
const GREEDY = [
  { name: 'small', shares: 100, guarantee: '5M' },
  { name: 'medium', shares: 200, guarantee: '10M' },
  { name: 'large', shares: 300, guarantee: '20M' },
] as const;

/** What the nodes' owner grants the demo; the default of 250 shares for one namespace would refuse the largest slice. */
export function ownersPolicy(node: string): object {
  const spec = { namespaces: [{ name: NAMESPACE, budget: { shares: 600 } }] };
  return { apiVersion: API_VERSION, kind: 'SliceNode', metadata: { name: node }, spec };
}

const SINK_PORT = 5001;

/** A pod on each node that swallows what it is sent; its request keeps it running beside slivers that want all CPU. */
export function sinkPod(node: string, image: string): object {
  const program = `require('node:net').createServer((s) => s.on('error', () => {}).resume()).listen(${SINK_PORT})`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `sink-${node}`, namespace: NAMESPACE, labels: { app: 'sink' } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      tolerations: [{ operator: 'Exists' }],
      securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'sink',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', program],
          resources: { requests: { cpu: '50m' } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
}

/**
 * The slices. `sinks` has the address that the slivers of each node send to: the sink of another node, so that the bytes
 * leave by the uplink. A loop for each CPU, so that the share got is one of the whole node.
 */
export function greedySlices(sinks: ReadonlyMap<string, string>, image: string): Slice[] {
  const cases = [...sinks].map(([node, address]) => `  ${node}) sink=${address} ;;`).join('\n');
  const bootScript = `# use all the CPU and all the bandwidth there is
case $(cat /run/slice/node) in
${cases}
esac
for cpu in $(seq "$(nproc)"); do (while :; do :; done) & done
while :; do
  bash -c "cat /dev/zero > /dev/tcp/$sink/${SINK_PORT}" 2> /dev/null
  sleep 0.2
done
`;
  return GREEDY.map(({ name, shares, guarantee }) => ({
    apiVersion: API_VERSION,
    kind: 'Slice',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      contact: 'demo@example.org',
      description: `wants everything, is promised ${shares} shares and ${guarantee}bit/s`,
      resources: { cpu: { shares }, egress: { guarantee, limit: '100M' } },
      sliver: { image, bootScript, terminationGracePeriodSeconds: 1 },
    },
  }));
}
