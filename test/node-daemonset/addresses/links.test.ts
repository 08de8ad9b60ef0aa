import assert from 'node:assert/strict';
import { behindPorts, devicesOf } from '../../../node-daemonset/addresses/links.ts';

describe('the links of a pod', () => {
  const links = JSON.stringify([
    { ifname: 'lo' },
    { ifname: 'veth1', link_netnsid: 1, master: 'cni0' },
    { ifname: 'veth2', link_netnsid: 2, master: 'cni0' },
    { ifname: 'odd name', link_netnsid: 2 },
  ]);
  const namespace = (netnsid: string | number): string => JSON.stringify({ namespaces: [{ netnsid }] });

  it('are the interfaces whose other end is in its namespace', () => {
    assert.deepEqual(
      devicesOf(namespace('2'), links).map(({ ifname }) => ifname),
      ['veth2'],
    );
    assert.deepEqual(devicesOf(namespace('unassigned'), links), []);
    assert.deepEqual(devicesOf('', links), []);
  });

  it('prove an address on a bridge by the port that leads to its neighbour', () => {
    const neighbours = JSON.stringify([
      { dst: '10.0.0.2', lladdr: 'aa:aa' },
      { dst: '10.0.0.3', lladdr: 'bb:bb' },
      { dst: '10.0.0.4' },
    ]);
    const forwarding = JSON.stringify([
      { mac: 'aa:aa', ifname: 'veth2' },
      { mac: 'bb:bb', ifname: 'veth1' },
    ]);
    const claimed = ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'];
    assert.deepEqual(behindPorts(claimed, new Set(['veth2']), neighbours, forwarding), ['10.0.0.2']);
    assert.deepEqual(behindPorts(claimed, new Set(['veth2']), '', ''), []);
  });
});
