/** Ports, the node’s network and privileges: whose they are, and who is offered them. */
import assert from 'node:assert/strict';
import type { SliceNodeSpec } from '../../../crds/types.ts';
import { askedPorts } from '../../../node-daemonset/admission/held.ts';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import { admit, edited, granted, right } from '../rights.ts';
import { at, type Case, grantOf, port, refuses } from './answers.ts';

const REFUSALS: Case[] = [
  {
    what: "another right's port",
    held: [right('a', port(8080))],
    rcap: right('b', port(8080)),
    reason: 'PortInUse',
    message: /^TCP port 8080 belongs to team\/right-a$/,
  },
  {
    what: "another's reservation of a port",
    held: [right('a', port(8080), { window: { start: at(1), end: at(2) } })],
    rcap: right('b', port(8080)),
    reason: 'PortInUse',
    message: /belongs to team\/right-a from \S+-02T00:00:00Z until \S+-03T00:00:00Z$/,
  },
  { what: 'a low port', rcap: right('b', port(80)), reason: 'PortNotOffered', message: /TCP port 80 is not among/ },
  {
    what: "the sensors' port",
    rcap: right('b', port(33080)),
    reason: 'PortNotOffered',
    message: /kept for the cluster/,
  },
  {
    what: "the port of the node's page",
    rcap: right('b', port(8080)),
    change: { spec: { audit: { page: { port: 8080 } } } },
    reason: 'PortNotOffered',
    message: /that of the node's page/,
  },
  {
    what: "the port of the node's published sensors",
    rcap: right('b', port(8080)),
    change: { spec: { sensors: { page: { port: 8080 } } } },
    reason: 'PortNotOffered',
    message: /that of the node's published sensors/,
  },
  {
    what: "the kubelet's port, even where the owner offers it",
    rcap: right('b', port(10250)),
    change: { spec: { ports: [{ protocol: 'TCP', from: 1, to: 65535 }] } },
    reason: 'PortNotOffered',
    message: /kept for the cluster/,
  },
  { what: 'a NodePort', rcap: right('b', port(30001, 'UDP')), reason: 'PortNotOffered', message: /kept/ },
  { what: 'the port of our own probes', rcap: right('b', port(33081)), reason: 'PortNotOffered', message: /kept/ },
  {
    what: 'a NodePort of a cluster with another range',
    rcap: right('b', port(20_000)),
    change: { spec: { nodePorts: { from: 20_000, to: 20_099 } } },
    reason: 'PortNotOffered',
    message: /kept/,
  },
  {
    what: 'a port that a process of the node has',
    rcap: right('b', port(5001)),
    change: { held: [{ protocol: 'TCP', port: 5001, by: 'nginx (pid 812)', pod: undefined, rcap: undefined }] },
    reason: 'PortInUse',
    message: /^TCP 5001 is held by nginx \(pid 812\)$/,
  },
  {
    what: "a port that another right's pod has",
    rcap: right('b', port(5001, 'ICMP')),
    change: { held: [{ protocol: 'ICMP', port: 5001, by: 'ping (pid 9)', pod: 'p', rcap: 'a' }] },
    reason: 'PortInUse',
    message: /^ICMP 5001 is held by ping/,
  },
  {
    what: "the node's own address where its owner does not offer it",
    rcap: right('b', { network: 'Host' }),
    reason: 'HostNetworkNotOffered',
    message: /use network Pod/,
  },
  {
    what: 'a privilege that owners must offer by name',
    rcap: right('b', { privileges: ['Audit', 'RawSockets'] }),
    reason: 'PrivilegeNotOffered',
    message: /^Audit is not among the privileges that the node's owner offers: RawSockets$/,
  },
  {
    what: 'a privilege where the owner offers none',
    rcap: right('b', { privileges: ['RawSockets'] }),
    change: { spec: { privileges: [] } },
    reason: 'PrivilegeNotOffered',
    message: /^RawSockets is not among .*: none$/,
  },
];

describe('admission', () => {
  refuses(REFUSALS);

  it('grants raw sockets to all, and the audit privilege where the owner offers it', () => {
    const raw = admit(granted(), [right('a', { privileges: ['RawSockets'] })]);
    assert.deepEqual(raw.ledger.entries[0]!.grant?.amounts.privileges, ['RawSockets']);
    const audit = [right('a', { privileges: ['Audit'] })];
    assert.equal(admit(granted(), audit, { spec: { privileges: ['Audit'] } }).ledger.entries[0]!.refusal, undefined);
  });

  it('minds no holder of another port, and none in the asking right’s own pod', () => {
    const held = [
      { protocol: 'UDP' as const, port: 8080, by: 'dnsmasq (pid 7)', pod: undefined, rcap: undefined },
      { protocol: 'TCP' as const, port: 8080, by: 'web (pid 8)', pod: 'p', rcap: 'a' },
    ];
    assert.deepEqual(grantOf(admit(EMPTY_LEDGER, [right('a', port(8080))], { held }).ledger, 'a').amounts.ports, [
      { protocol: 'TCP', port: 8080 },
    ]);
  });

  it('leaves those who ask for ports unanswered while it is not known who has them, and answers the others', () => {
    const rcaps = [right('a', port(8080)), right('b')];
    const { ledger, decisions } = admit(EMPTY_LEDGER, rcaps, { held: undefined });
    assert.deepEqual(
      decisions.map(({ event, uid }) => `${event} ${uid}`),
      ['granted b'],
    );
    assert.deepEqual(askedPorts(ledger, rcaps), [{ protocol: 'TCP', port: 8080 }]);
    const later = admit(ledger, rcaps).ledger;
    assert.deepEqual(askedPorts(later, rcaps), []);
    const grown = edited(rcaps[0]!, { resources: { ports: [port(8080), port(8081)].flatMap(({ ports }) => ports!) } });
    assert.deepEqual(askedPorts(later, [grown]), [{ protocol: 'TCP', port: 8081 }], 'its own port is not looked for');
    const renewed = admit(later, [edited(rcaps[0]!, { contact: 'new@example.org' }), rcaps[1]!], { held: undefined });
    assert.equal(renewed.decisions[0]!.event, 'renewed', 'no new port, no question');
  });

  it('gives low ports, the nodes’ network and identifiers that are no ports where the owner offers them', () => {
    const spec: SliceNodeSpec = { hostNetwork: true, ports: [{ protocol: 'TCP', from: 1, to: 65535 }] };
    spec.ports!.push({ protocol: 'ICMP', from: 1, to: 65535 });
    const ports = [...port(80).ports!, ...port(31_000, 'ICMP').ports!];
    const { ledger } = admit(EMPTY_LEDGER, [right('a', { network: 'Host', ports })], { spec });
    assert.equal(grantOf(ledger, 'a').amounts.network, 'Host');
  });

  it('gives the same port to two rights that never meet', () => {
    const rcaps = [
      right('a', port(8080), { window: { end: at(1) } }),
      right('b', port(8080), { window: { start: at(1) } }),
    ];
    const { ledger } = admit(EMPTY_LEDGER, rcaps);
    assert.ok(grantOf(ledger, 'a') && grantOf(ledger, 'b'));
  });
});
