import assert from 'node:assert/strict';
import { parseFibTrie, parseIfInet6, parseNetDev } from '../../../node-daemonset/addresses/netns.ts';

const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.242.1.0/24 2 0 2
        |-- 10.242.1.0
           /24 link UNICAST
        |-- 10.242.1.2
           /32 host LOCAL
        |-- 10.242.1.255
           /32 link BROADCAST
     |-- 169.254.7.7
        /32 host LOCAL
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.242.1.2
        /32 host LOCAL
     |-- 192.168.0.7
        /32 host LOCAL
`;

const IF_INET6 = `00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000001 02 40 00 80     eth0
20010db8000000000001000000000000 02 40 00 00     eth0
20010db8000100020003000400050006 02 40 00 00     eth0
fe80000000000000a81f1cfffe8b1c77 02 40 20 80     eth0
`;

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0
  eth0: 1000000     900    0    0    0     0          0         0   123456     800    0    0    0     0       0          0
  eth1:       7       1    0    0    0     0          0         0       44       1    0    0    0     0       0          0
`;

describe('pod network', () => {
  it('has the global IPv4 addresses of the namespace, each once', () => {
    assert.deepEqual(parseFibTrie(FIB_TRIE), ['10.242.1.2', '192.168.0.7']);
    assert.deepEqual(parseFibTrie(''), []);
  });

  it('has the global IPv6 addresses, as the kernel writes them', () => {
    assert.deepEqual(parseIfInet6(IF_INET6), ['fd00::1', '2001:db8:0:0:1::', '2001:db8:1:2:3:4:5:6']);
  });

  it('counts what left by any interface but loopback', () => {
    assert.equal(parseNetDev(NET_DEV), 123_500);
  });
});
