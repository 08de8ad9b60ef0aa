import assert from 'node:assert/strict';
import { LABEL_NODE, LABEL_TEMPLATE } from '../../../../crds/names.ts';
import type { Rspec, Slice } from '../../../../crds/types.ts';
import { cpuRequest, sliverPod, templateHash } from '../../../../operator/slice/plan/podspec.ts';
import { aRight, aSlice } from '../objects.ts';

interface Container {
  command?: string[];
  args?: string[];
  env?: unknown;
  resources: { requests: Record<string, string>; limits?: Record<string, string> };
  securityContext: Record<string, unknown>;
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
}

function podOf(slice: Slice, granted = {}, nonRoot = false) {
  const capability = aRight(slice, 'node1');
  const pod = sliverPod({ slice, capability, granted, allocatable: { cpuMilli: 3900 }, nonRoot, attempt: 0 });
  const spec = pod.spec as Record<string, unknown> & { containers: Container[]; volumes: { name: string }[] };
  return { pod, spec, container: spec.containers[0]! };
}

describe('the pod of a sliver', () => {
  it('is locked down', () => {
    const { spec, container } = podOf(aSlice());
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { drop: ['ALL'] },
    });
    assert.deepEqual(spec['securityContext'], { seccompProfile: { type: 'RuntimeDefault' } });
    const { automountServiceAccountToken, enableServiceLinks, hostNetwork, hostPID, hostIPC } = spec;
    assert.deepEqual(
      [automountServiceAccountToken, enableServiceLinks, hostNetwork, hostPID, hostIPC],
      [false, false, false, false, false],
    );
  });

  it('is not root where the namespace asks for it', () => {
    const context = podOf(aSlice(), {}, true).spec['securityContext'];
    assert.deepEqual(context, { seccompProfile: { type: 'RuntimeDefault' }, runAsNonRoot: true, runAsUser: 65_534 });
  });

  it('belongs to its right, and to its node by name', () => {
    const { pod, spec } = podOf(aSlice());
    const [owner] = pod.metadata.ownerReferences!;
    assert.deepEqual([owner!.kind, owner!.controller, owner!.blockOwnerDeletion], ['ResourceCapability', true, true]);
    assert.equal(pod.metadata.labels![LABEL_NODE], 'node1');
    assert.match(
      JSON.stringify(spec['affinity']),
      /"matchFields":\[\{"key":"metadata.name","operator":"In","values":\["node1"\]/,
    );
    assert.equal(spec.nodeName, undefined);
  });

  it('asks for exactly what was granted of this node, and sets no CPU limit', () => {
    const { resources } = podOf(aSlice(), { cpu: { shares: 333 }, memory: '1Gi', disk: '2G' }).container;
    assert.deepEqual(resources, {
      requests: { cpu: '1298m', memory: '1073741824', 'ephemeral-storage': '2000000000' },
      limits: { memory: '1073741824', 'ephemeral-storage': '2000000000' },
    });
    assert.deepEqual(podOf(aSlice()).container.resources, { requests: { cpu: '3m' } });
    assert.equal(cpuRequest(1, 100), 1);
  });

  it('never asks for more in sum than the node has', () => {
    for (const cpuMilli of [1000, 3900, 3999, 64_001]) {
      assert.ok(Array.from({ length: 300 }, () => cpuRequest(3, cpuMilli)).reduce((a, b) => a + b) <= cpuMilli);
    }
  });

  it('runs a boot script from its file, so that $(X) in it is not expanded', () => {
    const bootScript = 'echo $(X) "it\'s" `id`\n';
    const { spec, container } = podOf(aSlice({ sliver: { image: 'x', bootScript } }));
    assert.deepEqual([container.command, container.args], [['/bin/sh', '/run/slice-boot/boot'], undefined]);
    assert.ok(!JSON.stringify(spec).includes('$(X)'));
    assert.match(
      JSON.stringify(spec.volumes),
      /"name":"web-boot","items":\[\{"key":"boot-[0-9a-f]{10}","path":"boot"\}\]/,
    );
  });

  it('passes on what the user gives, and mounts the volume that is identity and gate', () => {
    const sliver = {
      image: 'x',
      command: ['/bin/run'],
      args: ['$(A)'],
      env: [{ name: 'A', value: 'b' }],
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'tmp', emptyDir: {} }],
      volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
    };
    const { spec, container } = podOf(aSlice({ sliver }));
    assert.deepEqual([container.command, container.args, container.env], [sliver.command, sliver.args, sliver.env]);
    assert.equal(spec['terminationGracePeriodSeconds'], 0);
    assert.deepEqual(
      container.volumeMounts.map(({ mountPath }) => mountPath),
      ['/tmp', '/run/slice'],
    );
    assert.deepEqual(spec.volumes.at(-1), {
      name: 'slice-operator-sliver',
      csi: {
        driver: 'slice-operator.io',
        readOnly: true,
        volumeAttributes: { capability: aRight(aSlice(), 'node1').metadata.name },
      },
    });
  });
});

describe('the pod of a sliver on its node’s network', () => {
  const slice = aSlice({ sliver: { image: 'x', network: 'Host' } });
  const pod = (granted: Rspec) =>
    sliverPod({
      ...{ slice, granted, allocatable: {}, nonRoot: true, attempt: 0 },
      capability: aRight(slice, 'node1'),
    });

  it('has the network and nothing else of the node', () => {
    const { spec } = pod({ network: 'Host' });
    const { securityContext } = (spec.containers as { securityContext: unknown }[])[0]!;
    assert.deepEqual(
      [spec['hostNetwork'], spec['hostPID'], spec['hostIPC'], spec['dnsPolicy']],
      [true, false, false, 'ClusterFirstWithHostNet'],
    );
    assert.deepEqual(securityContext, {
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { drop: ['ALL'] },
    });
    assert.deepEqual(spec['securityContext'], {
      seccompProfile: { type: 'RuntimeDefault' },
      runAsNonRoot: true,
      runAsUser: 65_534,
    });
  });

  it('follows what the node granted, not what the slice asks for', () => {
    assert.equal(pod({}).spec['hostNetwork'], false);
    assert.notEqual(templateHash(slice, {}, true), templateHash(slice, { network: 'Host' }, true));
  });
});

describe('the template hash', () => {
  const base = aSlice({ sliver: { image: 'x', env: [{ name: 'A', value: '1' }] } });
  const hash = (slice: Slice, granted = {}, nonRoot = false) => templateHash(slice, granted, nonRoot);

  it('is the same on every node, and whatever else of the slice is edited', () => {
    const labels = ['node1', 'node2'].map((node) => {
      const of = { slice: base, granted: {}, allocatable: { cpuMilli: node.length }, nonRoot: false, attempt: 0 };
      return sliverPod({ ...of, capability: aRight(base, node) }).metadata.labels![LABEL_TEMPLATE];
    });
    assert.equal(labels[0], labels[1]);
    const edited = { ...base, spec: { ...base.spec, contact: 'new@example.org', suspended: true } };
    assert.equal(hash(edited), hash(base));
    assert.equal(hash(base, { egress: { limit: '1M' } }), hash(base));
  });

  it('does not depend on the order of keys', () => {
    const turned = aSlice({ sliver: { env: [{ value: '1', name: 'A' }], image: 'x' } });
    assert.equal(hash(turned), hash(base));
  });

  it('changes with everything that a running pod can not change', () => {
    const hashes = new Set([
      hash(base),
      hash(aSlice({ sliver: { image: 'y', env: base.spec.sliver.env! } })),
      hash(aSlice({ sliver: { image: 'x', bootScript: 'true' } })),
      hash({ ...base, spec: { ...base.spec, placement: { tolerations: [{ operator: 'Exists' }] } } }),
      hash(base, { cpu: { shares: 2 } }),
      hash(base, { memory: '1Gi' }),
      hash(base, { disk: '1Gi' }),
      hash(base, {}, true),
    ]);
    assert.equal(hashes.size, 8);
  });
});
