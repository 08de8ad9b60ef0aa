import assert from 'node:assert/strict';
import * as config from '../cluster/config.ts';

const indices = Array.from({ length: config.MAX_CLUSTERS }, (_, index) => index);
const numbers = Array.from({ length: config.MAX_NODES }, (_, i) => i + 1);

describe('harness: addresses', () => {
  it('gives no two clusters the same network, address or link', () => {
    const all = indices.flatMap((index) => [
      config.hostLink(index),
      config.hostAddress(index),
      config.controlAddress(index),
      ...numbers.flatMap((n) => [
        config.nodeAddress(index, n),
        config.hardwareAddress(index, n),
        config.podSubnet(index, n),
      ]),
    ]);
    assert.equal(new Set(all).size, all.length);
  });

  it('keeps within what the kernel and IPv4 allow', () => {
    for (const index of indices) {
      assert.ok(config.hostLink(index).length <= 15);
      for (const part of config.podSubnet(index, config.MAX_NODES).split(/[./]/)) assert.ok(Number(part) <= 255);
      assert.notEqual(config.podNetwork(index), config.SERVICE_NETWORK);
    }
  });

  it('knows the nodes by name, and no others', () => {
    for (const n of numbers) assert.equal(config.nodeNumber(config.nodeName(n)), n);
    for (const bad of ['node0', 'node4', 'node10', 'node', 'other'])
      assert.throws(() => config.nodeNumber(bad), /no node/);
  });

  it('keeps the cache where nodes can see it', () => {
    assert.equal(config.cacheDir('/root'), '/root/.cache/slice-operator');
    assert.equal(config.cacheDir('/root', '/srv/cache'), '/srv/cache');
    for (const bad of ['/var/cache/x', '/run', '/etc/x'])
      assert.throws(() => config.cacheDir('/root', bad), /SLICE_CACHE=/);
  });

  it('refuses names that could leave their directory or their cgroup', () => {
    for (const good of ['demo', 'a', 't1']) config.checkClusterName(good);
    for (const bad of ['', '..', 'a/b', 'A', '1a', 'sixteenletterszz', 'a b']) {
      assert.throws(() => config.checkClusterName(bad), /CLUSTER=/);
    }
  });
});
