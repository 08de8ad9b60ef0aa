/** The CSI service as a kubelet sees it. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { granted, right, shares } from '../rights.ts';
import { type Ask, call, KUBELET, Kubelet } from './kubelet.ts';

describe('the CSI service', () => {
  const rcap = right('a', shares(100));
  let kubelet: Kubelet;
  beforeEach(() => void (kubelet = new Kubelet()));
  afterEach(() => kubelet.end());

  it('tells a kubelet what it is', async () => {
    await kubelet.begin(granted(rcap));
    const registration = kubelet.registration();
    const info = await call(registration, 'GetInfo', {});
    assert.equal(info.type, 'CSIPlugin');
    assert.equal(info.name, 'slice-operator.io');
    assert.ok(existsSync(info.endpoint as string));
    await call(registration, 'NotifyRegistrationStatus', { plugin_registered: true });
    registration.close();
    assert.deepEqual(await call(kubelet.node, 'NodeGetInfo', {}), { node_id: 'node1' });
  });

  it('offers itself anew to a kubelet that could not finish', async () => {
    await kubelet.begin(granted(rcap));
    const socket = kubelet.path('registry/reg.sock');
    // an inode's number is used again, the time of its making is not
    const made = (): bigint | undefined => statSync(socket, { bigint: true, throwIfNoEntry: false })?.ctimeNs;
    const first = made();
    const broken = kubelet.registration();
    await call(broken, 'NotifyRegistrationStatus', { plugin_registered: false, error: 'no API server' });
    broken.close();
    for (let i = 0; i < 500 && (made() ?? first) === first; i++) await new Promise((r) => setTimeout(r, 10));
    assert.notEqual(made() ?? first, first);
    const again = kubelet.registration();
    assert.equal((await call(again, 'GetInfo', {})).name, 'slice-operator.io');
    again.close();
  });

  const base = {
    'csi.storage.k8s.io/ephemeral': 'true',
    'csi.storage.k8s.io/pod.uid': 'pod-1',
    'csi.storage.k8s.io/pod.name': 'p',
    'csi.storage.k8s.io/pod.namespace': 'team',
    capability: 'right-a',
  };
  const malformed: [string, Ask, RegExp][] = [
    ['a persistent volume', { context: { ...base, 'csi.storage.k8s.io/ephemeral': 'false' } }, /only inline volumes/],
    ['no pod', { context: { 'csi.storage.k8s.io/ephemeral': 'true', capability: 'right-a' } }, /podInfoOnMount/],
    ['no capability', { context: { ...base, capability: '' } }, /volume attribute "capability"/],
    ['a path for a capability', { capability: '../lab/right' }, /volume attribute/],
    ['a target outside', { target: '/etc/cron.d' }, /is not a volume of pod/],
    [
      'a target with dots',
      { target: `${KUBELET}/pods/pod-1/volumes/kubernetes.io~csi/../../../../x/mount` },
      /is not a volume/,
    ],
    [
      "another pod's target",
      { target: `${KUBELET}/pods/pod-2/volumes/kubernetes.io~csi/slice/mount` },
      /is not a volume of pod pod-1/,
    ],
    ['a relative target', { target: 'pods/pod-1/volumes/kubernetes.io~csi/slice/mount' }, /is not a volume/],
  ];
  for (const [what, ask, message] of malformed) {
    it(`refuses ${what}`, async () => {
      await kubelet.begin(granted(rcap));
      await kubelet.isRefused(ask, 3, message);
      assert.equal(kubelet.passes, 0);
    });
  }

  it('unmounts nothing outside', async () => {
    await kubelet.begin(granted(rcap));
    kubelet.mounts.set('/etc', '/x');
    await assert.rejects(call(kubelet.node, 'NodeUnpublishVolume', { volume_id: 'x', target_path: '/etc' }), {
      code: 3,
    });
    assert.equal(kubelet.mounts.size, 1);
  });
});
