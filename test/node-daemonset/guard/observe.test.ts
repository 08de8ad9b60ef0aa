import assert from 'node:assert/strict';
import { parseBroadcasts } from '../../../node-daemonset/guard/observe.ts';

const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.77.0.0/24 2 0 2
        |-- 10.77.0.0
           /24 link UNICAST
           /32 link BROADCAST
        |-- 10.77.0.1
           /32 host LOCAL
        |-- 10.77.0.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.255.255.255
           /32 link BROADCAST
`;

describe('the broadcast addresses of the node', () => {
  it('are those of its networks, older kernels have two of each', () => {
    assert.deepEqual(parseBroadcasts(FIB_TRIE + FIB_TRIE), ['10.77.0.0', '10.77.0.255']);
    assert.deepEqual(parseBroadcasts(''), []);
  });
});
