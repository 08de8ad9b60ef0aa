import assert from 'node:assert/strict';
import type { Condition, ResourceCapability, Rspec, SliceNodeSpec } from '../../../crds/types.ts';
import { askedPorts } from '../../../node-daemonset/admission/held.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import type { AdmissionInput } from '../../../node-daemonset/admission/plan.ts';
import { admit, edited, granted, NODE, NOW, right, shares } from '../rights.ts';

const DAY = 86_400_000;

function refusalOf(ledger: Ledger, uid: string): { reason: string; message: string } {
  const entry = ledger.entries.find((one) => one.uid === uid);
  assert.ok(entry?.refusal, `${uid} was not refused`);
  return entry.refusal;
}

function grantOf(ledger: Ledger, uid: string): NonNullable<Ledger['entries'][number]['grant']> {
  const grant = ledger.entries.find((one) => one.uid === uid)?.grant;
  assert.ok(grant, `${uid} holds nothing`);
  return grant;
}

interface Case {
  what: string;
  rcap: ResourceCapability;
  reason: string;
  message: RegExp;
  held?: ResourceCapability[];
  change?: Partial<AdmissionInput> & { spec?: SliceNodeSpec };
}

const at = (days: number): string => new Date(NOW + days * DAY).toISOString();
const port = (number: number, protocol: 'TCP' | 'UDP' | 'ICMP' = 'TCP'): Rspec => ({
  ports: [{ protocol, port: number }],
});

const REFUSALS: Case[] = [
  {
    what: 'more shares than are free until a right ends',
    held: [right('a', shares(780), { window: { end: at(30) } })],
    rcap: right('b', shares(300), {}, { namespace: 'lab' }),
    reason: 'InsufficientShares',
    message: /^asks 300, 120 of 900 free until 2026-12-01T00:00:00Z$/,
  },
  {
    what: 'shares that are free now but not later',
    held: [right('a', shares(800), { window: { start: at(5), end: at(6) } })],
    rcap: right('b', shares(200)),
    reason: 'InsufficientShares',
    message: /^asks 200, 100 of 900 free from 2026-11-06T00:00:00Z until 2026-11-07T00:00:00Z$/,
  },
  {
    what: 'shares that other pods requested',
    rcap: right('b', shares(500)),
    change: { otherRequests: 1200 },
    reason: 'InsufficientShares',
    message: /^asks 500, 400 of 400 free$/,
  },
  {
    what: 'a guarantee above what the owner lets out',
    rcap: right('b', { egress: { guarantee: '101M', limit: '101M' } }),
    reason: 'InsufficientEgress',
    message: /^asks 101 Mbit\/s, 100 Mbit\/s of 100 Mbit\/s free$/,
  },
  {
    what: 'a guarantee above what the line carries',
    rcap: right('b', { egress: { guarantee: '11M', limit: '20M' } }),
    change: { spec: { lines: [{ interface: 'eth0', rate: '10M' }] } },
    reason: 'InsufficientEgress',
    message: /9.89 Mbit\/s of 9.89 Mbit\/s free/,
  },
  {
    what: 'memory',
    rcap: right('b', { memory: '9Gi' }),
    reason: 'InsufficientMemory',
    message: /asks 9 GiB, 8 GiB of 8 GiB/,
  },
  { what: 'disk', rcap: right('b', { disk: '200Gi' }), reason: 'InsufficientDisk', message: /100 GiB free/ },
  {
    what: 'a pod',
    held: [right('a')],
    rcap: right('b'),
    change: { spec: { pods: 1 } },
    reason: 'InsufficientPods',
    message: /asks 1, 0 of 1 free/,
  },
  {
    what: "another right's port",
    held: [right('a', port(8080))],
    rcap: right('b', port(8080)),
    reason: 'PortInUse',
    message: /^TCP port 8080 belongs to team\/right-a$/,
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
  {
    what: 'more shares than its namespace may have',
    held: [right('a', shares(200))],
    rcap: right('b', shares(100)),
    change: { spec: { budget: {} } },
    reason: 'NamespaceBudget',
    message: /^asks 100 shares, 50 of 250 left for namespace team$/,
  },
  {
    what: 'more shares than a namespace may have at any time, however little a later window leaves',
    held: [right('a', shares(10)), right('w', shares(100), { window: { start: at(5), end: at(6) } })],
    rcap: right('b', shares(300)),
    change: { spec: { budget: {} } },
    reason: 'NamespaceBudget',
    message: /^asks 300 shares, 240 of 250 left for namespace team$/,
  },
  {
    what: 'what first fits after a while, and later not either',
    held: [
      right('a', shares(200), { window: { end: at(2) } }),
      right('w', shares(240), { window: { start: at(5), end: at(6) } }),
    ],
    rcap: right('b', shares(100)),
    change: { spec: { budget: {} } },
    reason: 'NamespaceBudget',
    message: /^asks 100 shares, 50 of 250 left for namespace team until 2026-11-03T00:00:00Z$/,
  },
  {
    what: 'more ports than its namespace may have',
    held: [right('a', port(8000))],
    rcap: right('b', port(8001)),
    change: { spec: { namespaces: [{ name: 'team', budget: { ports: 1 } }] } },
    reason: 'NamespaceBudget',
    message: /asks 1 ports, 0 of 1 left/,
  },
  {
    what: 'a right in a namespace with too many refused ones',
    held: [right('a', shares(1000))],
    rcap: right('b'),
    change: { spec: { budget: { pending: 1 } } },
    reason: 'NamespaceBudget',
    message: /1 rights here that were not granted, 1 are allowed/,
  },
  {
    what: 'anything for a refused namespace',
    rcap: right('b'),
    change: { spec: { namespaces: [{ name: 'team', refused: true }] } },
    reason: 'NamespaceRefused',
    message: /refuses namespace team/,
  },
  {
    what: 'a window in the past',
    rcap: right('b', {}, { window: { end: at(-1) } }),
    reason: 'WindowPast',
    message: /ended at 2026-10-31T00:00:00Z/,
  },
  {
    what: 'a window that meets a blackout',
    rcap: right('b'),
    change: { spec: { blackouts: [{ start: at(2), end: at(3), reason: 'new disks' }] } },
    reason: 'Blackout',
    message: /from 2026-11-03T00:00:00Z until 2026-11-04T00:00:00Z \(new disks\)/,
  },
  {
    what: 'a window that ends before it starts',
    rcap: right('b', {}, { window: { start: at(2), end: at(1) } }),
    reason: 'InvalidSpec',
    message: /spec.window/,
  },
  { what: '0 shares', rcap: right('b', shares(0)), reason: 'InvalidSpec', message: /spec.resources.cpu.shares/ },
  { what: '1001 shares', rcap: right('b', shares(1001)), reason: 'InvalidSpec', message: /spec.resources.cpu.shares/ },
  {
    what: 'a guarantee above the limit',
    rcap: right('b', { egress: { guarantee: '2M', limit: '1M' } }),
    reason: 'InvalidSpec',
    message: /guarantee must not exceed/,
  },
  {
    what: 'another node',
    rcap: right('b', {}, { nodeName: 'node2' }),
    reason: 'WrongNode',
    message: /asks for node node2/,
  },
  {
    what: 'this node with the label of another',
    rcap: right('b', {}, {}, { labels: { 'slice-operator.io/node': 'node2' } }),
    reason: 'WrongNode',
    message: /the label slice-operator.io\/node must be node1/,
  },
];

describe('admission', () => {
  for (const { what, rcap, reason, message, held = [], change } of REFUSALS) {
    it(`refuses ${what}`, () => {
      const before = granted(...held);
      const { ledger, decisions } = admit(before, [...held, rcap], change);
      const refusal = refusalOf(ledger, 'b');
      assert.equal(refusal.reason, reason);
      assert.match(refusal.message, message);
      assert.deepEqual(
        decisions.map(({ event, uid }) => [event, uid]),
        [['denied', 'b']],
      );
      assert.deepEqual(ledger.entries[0], before.entries[0] ?? ledger.entries[0], 'what was held stays as it was');
    });
  }

  it('grants raw sockets to all, and the audit privilege where the owner offers it', () => {
    const raw = admit(granted(), [right('a', { privileges: ['RawSockets'] })]);
    assert.deepEqual(raw.ledger.entries[0]!.grant?.amounts.privileges, ['RawSockets']);
    const audit = [right('a', { privileges: ['Audit'] })];
    assert.equal(admit(granted(), audit, { spec: { privileges: ['Audit'] } }).ledger.entries[0]!.refusal, undefined);
  });

  it('grants what fits, and says so once', () => {
    const rcaps = [right('a', shares(600)), right('b', shares(300))];
    const first = admit(EMPTY_LEDGER, rcaps);
    assert.deepEqual(
      first.decisions.map(({ event }) => event),
      ['granted', 'granted'],
    );
    const second = admit(first.ledger, rcaps);
    assert.equal(second.ledger, first.ledger);
    assert.deepEqual(second.decisions, []);
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

  it('keeps a refusal for its generation, whatever becomes free', () => {
    const [held, late] = [right('a', shares(900)), right('b', shares(100))];
    const full = admit(granted(held), [held, late]).ledger;
    const { ledger } = admit(full, [late]);
    assert.equal(refusalOf(ledger, 'b').reason, 'InsufficientShares');
    const anew = admit(ledger, [edited(late, { contact: 'noc@example.org' })]);
    assert.ok(grantOf(anew.ledger, 'b'));
  });

  it('renews where the edit fits, and keeps the old grant where it does not', () => {
    const [a, b] = [right('a', shares(400)), right('b', shares(400))];
    const larger = edited(a, { resources: shares(500) });
    const renewed = admit(granted(a, b), [larger, b]);
    assert.equal(grantOf(renewed.ledger, 'a').amounts.shares, 500);
    assert.equal(renewed.decisions[0]!.event, 'renewed');
    const tooLarge = edited(larger, { resources: shares(501) });
    const refused = admit(renewed.ledger, [tooLarge, b]);
    assert.equal(grantOf(refused.ledger, 'a').amounts.shares, 500);
    assert.equal(refusalOf(refused.ledger, 'a').reason, 'InsufficientShares');
    assert.equal(refused.decisions[0]!.event, 'resizeDenied');
    assert.deepEqual(admit(refused.ledger, [tooLarge, b]).decisions, []);
  });

  it('binds once', () => {
    const unbound = right('a', {}, { sliceName: undefined });
    const bound = edited(unbound, { sliceName: 'one' });
    const ledger = admit(granted(unbound), [bound]).ledger;
    assert.equal(grantOf(ledger, 'a').sliceName, 'one');
    for (const sliceName of ['two', undefined]) {
      const after = admit(ledger, [edited(bound, { sliceName })]).ledger;
      assert.equal(grantOf(after, 'a').sliceName, 'one');
      assert.match(refusalOf(after, 'a').message, /bound to slice one/);
    }
  });

  it('gives up a right that was moved to another node', () => {
    const rcap = right('a', shares(900));
    const moved = edited(rcap, { nodeName: 'node2' });
    const { ledger } = admit(granted(rcap), [moved]);
    assert.equal(ledger.entries[0]!.grant, undefined);
    assert.equal(refusalOf(ledger, 'a').reason, 'WrongNode');
    assert.ok(grantOf(admit(ledger, [moved, right('b', shares(900))]).ledger, 'b'), 'its shares are free again');
  });

  it('refuses a right that another node granted and that was moved here', () => {
    const resources = { cpu: { shares: 1 } };
    const status = { granted: { nodeUID: 'another', observedGeneration: 1, resources } };
    const moved = { ...edited(right('a'), {}), status };
    assert.equal(refusalOf(admit(EMPTY_LEDGER, [moved]).ledger, 'a').reason, 'WrongNode');
    const registeredAnew = { ...right('a'), status };
    assert.ok(grantOf(admit(EMPTY_LEDGER, [registeredAnew]).ledger, 'a'));
  });

  it('expires by time alone, without the API server', () => {
    const rcap = right('a', shares(900), { window: { end: at(1) } });
    const { ledger, decisions } = admit(granted(rcap), undefined, { now: NOW + DAY });
    assert.equal(refusalOf(ledger, 'a').reason, 'Expired');
    assert.equal(decisions[0]!.event, 'expired');
    const longer = edited(rcap, { window: { end: at(9) } });
    assert.ok(grantOf(admit(ledger, [longer], { now: NOW + DAY }).ledger, 'a'));
  });

  it('releases what was deleted, but nothing before it has heard of all', () => {
    const before = granted(right('a', shares(900)));
    assert.equal(admit(before, undefined).ledger, before);
    const { ledger, decisions } = admit(before, []);
    assert.deepEqual(ledger.entries, []);
    assert.equal(decisions[0]!.event, 'released');
  });

  it('takes the same name with another uid for another right', () => {
    const again = right('b', shares(900), {}, { name: 'right-a' });
    const { ledger } = admit(granted(right('a', shares(900))), [again]);
    assert.deepEqual(
      ledger.entries.map(({ uid, grant }) => [uid, grant?.amounts.shares]),
      [['b', 900]],
    );
  });

  it('grants everything anew when the Node was registered anew', () => {
    const rcaps = [right('a', shares(300)), right('b', shares(300))];
    const before = admit(EMPTY_LEDGER, rcaps).ledger;
    const { ledger, decisions } = admit(before, rcaps, { node: { ...NODE, uid: 'other' } });
    assert.equal(ledger.nodeUID, 'other');
    assert.deepEqual(ledger.formerNodeUIDs, ['node-uid']);
    assert.deepEqual(
      decisions.map(({ event }) => event),
      ['released', 'released', 'granted', 'granted'],
    );
  });

  it('refuses what it had refused until it is edited, also when the ledger is lost', () => {
    const lastTransitionTime = '2026-10-01T00:00:00Z';
    const said = { type: 'Granted', status: 'False', reason: 'InsufficientShares', message: 'no', lastTransitionTime };
    const refused: ResourceCapability = {
      ...right('a', shares(10)),
      status: { observedGeneration: 1, conditions: [said as Condition] },
    };
    assert.deepEqual(admit(EMPTY_LEDGER, [refused]).decisions, []);
    assert.deepEqual(
      admit(EMPTY_LEDGER, [edited(refused, {})]).decisions.map(({ event }) => event),
      ['granted'],
    );
  });

  it('rebuilds a lost ledger from its own statuses, never beyond what fits', () => {
    const status = (count: number): ResourceCapability['status'] => ({
      granted: { nodeUID: NODE.uid, observedGeneration: 1, sliceName: 'measure', resources: shares(count) },
    });
    const earlier = right('new', shares(900), {}, { namespace: 'lab', creationTimestamp: '2026-01-01T00:00:00Z' });
    const kept = { ...edited(right('kept', shares(500)), { resources: shares(901) }), status: status(500) };
    const forged = {
      ...right('later', shares(1), {}, { creationTimestamp: '2026-10-02T00:00:00Z' }),
      status: status(800),
    };
    const { ledger } = admit(EMPTY_LEDGER, [earlier, forged, kept]);
    assert.equal(grantOf(ledger, 'kept').amounts.shares, 500, 'what was granted goes before older questions');
    assert.equal(refusalOf(ledger, 'kept').reason, 'InsufficientShares', 'its edit is judged after that');
    assert.equal(refusalOf(ledger, 'new').reason, 'InsufficientShares');
    assert.equal(grantOf(ledger, 'later').amounts.shares, 1, 'a status that does not fit proves nothing');
  });

  it('believes a status only while the ledger is new, and only what can be that of this very rcap', () => {
    const status = (
      generation: number,
      resources = shares(5),
      sliceName = 'measure',
    ): ResourceCapability['status'] => ({
      granted: { nodeUID: NODE.uid, observedGeneration: generation, sliceName, resources },
    });
    const own = { ...right('own', shares(5)), status: status(1) };
    const newer = { ...right('newer', shares(7)), status: status(2) };
    const other = { ...right('other', shares(7)), status: status(1) };
    const bound = { ...right('bound', shares(5)), status: status(1, shares(5), 'another') };
    const { ledger, decisions } = admit(EMPTY_LEDGER, [own, newer, other, bound]);
    assert.deepEqual(
      decisions.flatMap(({ uid, reason }) => (reason === 'Recovered' ? [uid] : [])),
      ['own'],
    );
    assert.equal(grantOf(ledger, 'other').amounts.shares, 7);
    const late = { ...edited(right('late', shares(7)), {}), status: status(1) };
    assert.equal(grantOf(admit(ledger, [own, newer, other, bound, late]).ledger, 'late').amounts.shares, 7);
  });

  it('decides nothing while the Node or its policy is unknown', () => {
    for (const change of [{ node: undefined }, { policy: undefined }]) {
      assert.deepEqual(admit(EMPTY_LEDGER, [right('a')], change).ledger.entries, []);
    }
  });

  it('asks nobody to be granted who is being deleted', () => {
    const rcap = right('a', {}, {}, { deletionTimestamp: '2026-10-31T00:00:00Z' });
    assert.equal(admit(EMPTY_LEDGER, [rcap]).decisions.length, 0);
    assert.ok(grantOf(admit(granted(right('a')), [rcap]).ledger, 'a'), 'what is granted holds until it is gone');
  });
});
