import assert from 'node:assert/strict';
import { SystemError } from '../../../node-daemonset/sockets/libc.ts';
import { podOfCgroup, podOfPeer } from '../../../node-daemonset/sockets/peer.ts';

const UID = '0b5c6a1e-0000-4000-8000-000000000001';
const OTHER = '0b5c6a1e-0000-4000-8000-000000000002';

describe('the pod of a process', () => {
  for (const [what, text] of [
    ['v2, cgroupfs', `0::/kubepods/burstable/pod${UID}/c0ffee\n`],
    [
      'v2, systemd',
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice/cri-x.scope\n`,
    ],
    ['v1, below a prefix', `4:memory:/kc/node1/kubepods/burstable/pod${UID}/c0ffee\n1:name=systemd:/\n0::/\n`],
    ['the pod itself', `0::/kubepods/pod${UID}\n`],
  ] as const) {
    it(`is found: ${what}`, () => assert.equal(podOfCgroup(text), UID));
  }

  for (const [what, text] of [
    ['of the node itself', '0::/system.slice/ssh.service\n'],
    ['in two pods', `2:cpu:/kubepods/pod${UID}\n1:memory:/kubepods/pod${OTHER}\n`],
    ['in what only looks like one', `0::/kubepods/xpod${UID}z\n`],
  ] as const) {
    it(`is none: ${what}`, () => assert.equal(podOfCgroup(text), undefined));
  }

  it('is none, and no error, where the kernel has nothing left of a process that ended', () => {
    const [EINVAL, ENODATA, EMFILE] = [22, 61, 24];
    for (const errno of [EINVAL, ENODATA, EMFILE]) {
      const option = (_fd: number, _level: number, name: number): Buffer => {
        if (name === 77) throw new SystemError('getsockopt', errno);
        return Buffer.from(Int32Array.of(process.pid, 0, 0).buffer);
      };
      assert.equal(podOfPeer(-1, option), undefined, String(errno));
    }
  });
});
