import assert from 'node:assert/strict';
import type { RspecPort } from '../../crds/types.ts';
import type { Desired, Sliver } from '../../node-daemonset/sliver.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { GuardedNode, type Peer } from './guarded.ts';

const PODS = ['a', 'b', 'ordinary'] as const;
type Pod = (typeof PODS)[number];

const tcp = (port: number): RspecPort => ({ protocol: 'TCP', port });
const udp = (port: number): RspecPort => ({ protocol: 'UDP', port });

/** A sliver on the node's network with these ports. */
export function hostSliver(id: string, number: number, ports: RspecPort[], rest: Partial<Sliver> = {}): Sliver {
  return makeSliver(id, { ports }, { number, classId: 0x100 + number, network: 'Host', ...rest } as Partial<Sliver>);
}

describe('ports of the node', () => {
  let node: GuardedNode;
  let peers: Record<Pod, Peer>;
  const desired = (): Desired =>
    makeDesired([
      hostSliver('a', 1, [tcp(80), udp(80), tcp(7000), udp(7000)]),
      hostSliver('b', 2, [tcp(7001), udp(7001)]),
    ]);

  before(async () => {
    node = new GuardedNode();
    for (const pod of PODS) node.addPod(pod);
    node.start();
    assert.deepEqual((await node.enforce(desired())).problems, []);
    peers = { a: node.peer('a'), b: node.peer('b'), ordinary: node.peer('ordinary') };
  });
  after(() => node.remove());

  it('are written once', async () => {
    assert.deepEqual(await node.enforce(desired()), { writes: 0, problems: [] });
  });

  const ADDRESSES = { 4: ['10.77.0.1', '0.0.0.0', '127.0.0.1'], 6: ['fd77::1', '::', '::1'] };
  for (const family of [4, 6] as const) {
    for (const [type, protocol] of [
      ['stream', 6],
      ['dgram', 17],
    ] as const) {
      for (const address of ADDRESSES[family]) {
        for (const reuse of [false, true]) {
          it(`bind ${type} ${address}${reuse ? ' with SO_REUSEPORT' : ''}: the owner alone`, async () => {
            const options = reuse ? ['option reuseport 1'] : [];
            const bind = (pod: Pod, port: number): Promise<string> =>
              peers[pod].all(`socket ${family} ${type} ${protocol}`, ...options, `bind ${address} ${port}`);
            assert.equal(await bind('a', 7000), 'ok');
            assert.equal(await bind('b', 7000), 'EADDRINUSE', 'while the owner holds it');
            assert.equal(await bind('ordinary', 7000), 'EADDRINUSE', 'while the owner holds it');
            assert.equal(await bind('a', 80), 'ok', 'below 1024 without a capability');
            assert.equal(await bind('a', 7001), 'EADDRINUSE', "another's");
            assert.equal(await bind('b', 80), 'EADDRINUSE', "another's, below 1024");
            assert.equal(await bind('a', 7777), 'EACCES', "nobody's");
            assert.equal(await bind('ordinary', 7001), 'EADDRINUSE');
            assert.equal(await bind('ordinary', 7778), 'ok');
            assert.equal(await bind('a', 0), 'ok');
            for (const peer of Object.values(peers)) await peer.ask('close');
          });
        }
      }
    }
  }
});
