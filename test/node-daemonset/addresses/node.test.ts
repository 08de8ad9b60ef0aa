import assert from 'node:assert/strict';
import { nodeAddressesOf } from '../../../node-daemonset/addresses/node.ts';

describe('the addresses of a node', () => {
  const at = (ifname: string, kind: string | undefined, ...addresses: string[]) => ({
    ifname,
    ...(kind && { linkinfo: { info_kind: kind } }),
    addr_info: addresses.map((local) => ({ local })),
  });
  const lo = at('lo', undefined, '127.0.0.1', '::1', '2001:db8::53');
  const eth0 = at('eth0', undefined, '192.0.2.1', '169.254.7.7', '2001:db8:1::1', 'fe80::1');
  const cni0 = at('cni0', 'bridge', '10.244.0.1');
  const services = at('kube-ipvs0', 'dummy', '10.96.0.10', '10.96.0.50', 'fd96::50');
  const read = (interfaces: unknown[], ...lines: string[]) =>
    nodeAddressesOf(JSON.stringify(interfaces), new Set(lines));

  it('are those of its lines for ports, and all but services’ for whom it is to be kept from', () => {
    assert.deepEqual(read([lo, eth0, cni0, services], 'eth0'), {
      lines: ['192.0.2.1', '2001:db8:1::1'],
      local: ['10.244.0.1', '192.0.2.1', '2001:db8:1::1', '2001:db8::53'],
    });
  });

  it('are loopback’s where no line has any, as on routed hosts', () => {
    const routed = at('lo', undefined, '127.0.0.1', '192.0.2.9', '2001:db8::9');
    assert.deepEqual(read([routed, at('eth0', undefined, 'fe80::2')], 'eth0').lines, ['192.0.2.9', '2001:db8::9']);
    assert.deepEqual(read([routed, at('eth0', undefined, '192.0.2.1')], 'eth0').lines, ['192.0.2.1', '2001:db8::9']);
    assert.deepEqual(read([services], 'kube-ipvs0').lines, ['10.96.0.10', '10.96.0.50', 'fd96::50'], 'named');
    assert.deepEqual(read([cni0, services], 'gone').lines, ['10.244.0.1']);
  });
});
