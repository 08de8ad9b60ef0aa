import assert from 'node:assert/strict';
import { podOf } from '../../../node-daemonset/ports/holders.ts';
import { parseSockets } from '../../../node-daemonset/ports/sockets.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41 1 0000000000000000 100 0 0 10 0
   1: 0200000A:138A 0300000A:01BB 01 00000000:00000000 00:00000000 00000000     0        0 42 1 0000000000000000 20 4 30 10 -1
   2: 0200000A:138B 0300000A:01BB 06 00000000:00000000 03:00000A00 00000000     0        0 0 3 0000000000000000
   3: 00000000:138C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000 100 0 0 10 0
`;
const UDP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  125: 00000000000000000000000000000000:12B5 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 0000000000000000 0
`;

describe('sockets of the node', () => {
  it('are those that listen, those that are connected, and the kernel’s own', () => {
    const found = parseSockets(TCP, 'TCP', new Set([5001, 5002, 5003, 5004, 9]));
    assert.deepEqual(
      found.map(({ port, inode }) => `${port} ${inode}`),
      ['5001 41', '5002 42', '5004 0'],
    );
    assert.deepEqual(parseSockets(UDP6, 'UDP', new Set([4789])), [{ protocol: 'UDP', port: 4789, inode: 0 }]);
    assert.deepEqual(parseSockets(TCP, 'TCP', new Set([443])), [], 'the other side’s port is not ours');
  });

  it('are no matter of text that is none', () => {
    for (const text of ['', 'x', '\n\n', '  0: zz', TCP.slice(0, 190)]) {
      assert.deepEqual(parseSockets(text, 'TCP', new Set([6001])), []);
    }
  });

  it('belong to the pod of their process, with either driver', () => {
    const uid = '0b8ea0de-6a0a-4dd9-a3a3-2f8c4c1d2b11';
    assert.equal(podOf(`4:cpu:/kubepods/burstable/pod${uid}/abc\n`), uid);
    const slice = `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`;
    assert.equal(podOf(`0::/kubepods.slice/${slice}/cri-containerd-abc.scope\n`), uid);
    assert.equal(podOf('0::/system.slice/nginx.service\n'), undefined);
  });
});
