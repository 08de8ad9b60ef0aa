import assert from 'node:assert/strict';
import { parseIptables, parseRuleset } from '../../../node-daemonset/ports/forwards.ts';

const NODE = new Set(['10.0.0.1']);
const dport = (right: unknown, protocol = 'tcp') => ({
  match: { op: '==', left: { payload: { protocol, field: 'dport' } }, right },
});
const rule = (chain: string, ...expr: unknown[]) => ({ rule: { family: 'inet', table: 'portmap', chain, expr } });
const ruleset = (...objects: unknown[]): string => JSON.stringify({ nftables: [{ metainfo: {} }, ...objects] });

describe('forwards of others', () => {
  it('are read from nftables, whatever form the port has', () => {
    const json = ruleset(
      rule('a', dport(8080), { dnat: { addr: '10.1.0.5', port: 80 } }),
      rule('b', dport({ set: [53, { range: [60, 70] }] }, 'udp'), { redirect: null }),
      rule('c', dport(90, 'th'), { counter: null }, { xt: { type: 'target', name: 'DNAT' } }),
      rule('d', dport(22), { accept: null }),
      rule('e', { xt: null }, { masquerade: null }),
    );
    const said = parseRuleset(json, new Set(), NODE).map(
      ({ protocol, from, to, by }) => `${protocol} ${from}-${to} ${by}`,
    );
    assert.deepEqual(said, [
      'TCP 8080-8080 a rule of table inet portmap, chain a',
      'UDP 53-53 a rule of table inet portmap, chain b',
      'UDP 60-70 a rule of table inet portmap, chain b',
      'TCP 90-90 a rule of table inet portmap, chain c',
      'UDP 90-90 a rule of table inet portmap, chain c',
    ]);
    assert.deepEqual(parseRuleset(json, new Set(['inet portmap']), NODE), [], 'not our own');
  });

  it('to an address that is not the node’s concern nobody here', () => {
    const to = (right: string) => ({
      match: { op: '==', left: { payload: { protocol: 'ip', field: 'daddr' } }, right },
    });
    const of = (address: string) => ruleset(rule('a', to(address), dport(80), { dnat: { addr: '10.1.0.5' } }));
    assert.equal(parseRuleset(of('203.0.113.5'), new Set(), NODE).length, 0);
    assert.equal(parseRuleset(of('10.0.0.1'), new Set(), NODE).length, 1);
  });

  it('are read from iptables: hostPorts, NodePorts, container engines', () => {
    const text = `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"net\\" id: \\"a -p udp\\"" -m multiport --dports 8080,8443 -j CNI-DN-1
-A CNI-DN-1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.5:80
-A KUBE-NODEPORTS -p udp -m comment --comment "a/b" -m udp --dport 30053 -j KUBE-EXT-X
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-Y
-A KUBE-SEP-Z -p tcp -m tcp -j DNAT --to-destination 10.1.0.6:6443
-A DOCKER -d 203.0.113.5/32 ! -i docker0 -p tcp -m tcp --dport 81 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER -d 10.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 82:84 -j DNAT --to-destination 172.17.0.2
COMMIT
`;
    const said = parseIptables(text, NODE).map(({ protocol, from, to, by }) => `${protocol} ${from}-${to} ${by}`);
    assert.deepEqual(said, [
      "TCP 8080-8080 a rule of iptables' chain CNI-HOSTPORT-DNAT",
      "TCP 8443-8443 a rule of iptables' chain CNI-HOSTPORT-DNAT",
      "TCP 8080-8080 a rule of iptables' chain CNI-DN-1",
      "UDP 30053-30053 a rule of iptables' chain KUBE-NODEPORTS",
      "TCP 82-84 a rule of iptables' chain DOCKER",
    ]);
  });
});
