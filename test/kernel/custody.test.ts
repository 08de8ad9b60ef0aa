/**
 * The chain of custody from the kernel on: packets that slivers really sent are found by their destination on the node's page,
 * in its JSON, in the files of the archive after rotation, also by a node manager that was started anew, and in the answer of
 * the whole cluster; with the contact of the slice. Only the clock of the record is moved on.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ClusterAnswer, FlowAnswer } from '../../crds/flows.ts';
import { silentLog } from '../../kube/log.ts';
import { Archive } from '../../node-daemonset/audit/archive.ts';
import type { Identity } from '../../node-daemonset/audit/flow.ts';
import { FlowLog } from '../../node-daemonset/audit/flowlog.ts';
import { servePage } from '../../node-daemonset/audit/page/server.ts';
import { openSource } from '../../node-daemonset/audit/page/source.ts';
import { serveAudit } from '../../node-daemonset/audit/server.ts';
import type { RawFlow } from '../../node-daemonset/bpf/kernel.ts';
import type { Sliver } from '../../node-daemonset/sliver.ts';
import { ASK_LIMITS, createAsker } from '../../operator/audit/ask.ts';
import { serveClusterAudit } from '../../operator/audit/server.ts';
import { makeDesired } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { GuardedNode } from './guarded.ts';
import { hostSliver, podSliver, udp } from './host-sliver.ts';
import { udpHeader } from './packets.ts';

const HOUR_MS = 3_600_000;
/** Who sends to which port of the world's two addresses. */
const SENT = [
  { slice: 'host', address: '10.77.0.2', port: 9101, packets: 3 },
  { slice: 'host', address: 'fd77::2', port: 9102, packets: 4 },
  { slice: 'pod', address: '10.77.0.2', port: 9103, packets: 5 },
  { slice: 'pod', address: 'fd77::2', port: 9104, packets: 6 },
  { slice: 'raw', address: '10.77.0.2', port: 9105, packets: 2 },
  { slice: 'raw', address: 'fd77::2', port: 9106, packets: 2 },
] as const;
const SLICES = ['host', 'pod', 'raw'] as const;
const contactOf = (slice: string): string => `${slice}@example.org`;

describe('packets that slivers sent', () => {
  const directory = mkdtempSync(join(tmpdir(), 'custody-'));
  const archive = join(directory, 'flows');
  const drained: RawFlow[] = [];
  let node: GuardedNode;
  let ahead = 0;
  let closing: (() => Promise<unknown>)[] = [];
  let log: FlowLog;
  let origin: string;

  const now = (): number => Date.now() + ahead;
  const identities = new Map<number, Identity>(
    SLICES.map((slice, i) => [
      i + 1,
      { namespace: 'site', slice, capability: `${slice}-0`, contact: contactOf(slice) },
    ]),
  );
  /** A node manager's record, and the page. */
  const open = async (): Promise<void> => {
    log = new FlowLog({
      nodeName: 'node1',
      archive: new Archive(archive),
      drain: () => drained.splice(0),
      identities: () => identities,
      retention: () => ({ bytes: 2 ** 29, ageMs: 7 * 24 * HOUR_MS }),
      log: silentLog(),
      now,
      kernelNow: process.hrtime.bigint,
      random: () => 7,
    });
    await log.start();
    const socket = join(directory, 'query.sock');
    const settings = { node: 'node1', listen: undefined, contact: '', description: '' };
    const manager = await serveAudit({ socket, group: undefined, flows: log, settings: () => settings, now });
    const page = await servePage({ source: openSource(socket), address: '127.0.0.1', port: 0, now });
    origin = `http://127.0.0.1:${page.port}`;
    closing = [() => page.close(), () => manager.close(), () => log.stop()];
  };
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0)) await one();
  };
  /** What the page's JSON says was sent to each port, and by whom. */
  const found = ({ flows }: Pick<FlowAnswer, 'flows'>): unknown[] =>
    flows
      .filter(({ kind }) => kind === 'Flow')
      .map(({ slice, contact, destination, destinationPort, packets }) => {
        return { slice, contact, address: destination, port: destinationPort, packets };
      })
      .toSorted((a, b) => a.port - b.port);
  const expected = (address?: string): unknown[] =>
    SENT.filter((one) => !address || one.address === address).map(({ slice, ...rest }) => {
      return { slice, contact: contactOf(slice), ...rest };
    });
  const ask = async (path: string): Promise<FlowAnswer> => (await (await fetch(origin + path)).json()) as FlowAnswer;
  const began = new Date(Date.now() - 60_000).toISOString();
  const when = (): string => `from=${began}&to=${new Date(Date.parse(began) + HOUR_MS).toISOString()}`;

  before(async () => {
    node = new GuardedNode();
    const { net } = node;
    for (const slice of SLICES) node.addPod(slice);
    net.add('pod');
    net.link(['node', 'h0', '10.78.0.1/24'], ['pod', 'eth0', '10.78.0.2/24']);
    net.ip('node', 'addr', 'add', 'fd78::1/64', 'dev', 'h0', 'nodad');
    net.ip('pod', 'addr', 'add', 'fd78::2/64', 'dev', 'eth0', 'nodad');
    net.ip('pod', 'route', 'add', 'default', 'via', '10.78.0.1');
    net.ip('pod', '-6', 'route', 'add', 'default', 'via', 'fd78::1');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    for (const to of ['10.77.0.2', 'fd77::2']) net.run('pod', ['ping', '-c1', '-W5', to.replace(/2$/, '1')]);
    for (const to of ['10.77.0.2', 'fd77::2']) net.run('node', ['ping', '-c1', '-W5', to]);
    const slivers: Sliver[] = [
      hostSliver('host', 1, { ports: [udp(7001)] }),
      { ...podSliver('pod', 2, ['10.78.0.2', 'fd78::2']), interfaces: ['h0'] },
      hostSliver('raw', 3, { ports: [udp(7003)], privileges: ['RawSockets'] }),
    ];
    const desired = makeDesired(slivers, { lines: [{ interface: 'upl0', rate: 100e6 }] });
    node.start();
    assert.deepEqual((await new RemoteEnforcer(net, 'node').enforce(desired)).problems, []);
    assert.deepEqual((await node.enforce(desired)).problems, []);
    await node.drain();

    const peers = { host: node.peer('host'), pod: node.peer('pod', { namespace: 'pod' }), raw: node.peer('raw') };
    const manager = node.peer('manager', { root: true });
    for (const { slice, address, port, packets } of SENT) {
      const family = address.includes(':') ? 6 : 4;
      const peer = peers[slice];
      if (slice === 'raw') {
        await node.giveRaw(manager, peer, { sliver: 3, family, protocol: 17, port: 7003 });
        for (let i = 0; i < packets; i++)
          assert.equal(await peer.ask(`sendto ${address} 0 ${udpHeader(7003, port)}`), 'ok');
      } else {
        assert.equal(await peer.ask(`socket ${family} dgram 17`), 'ok');
        assert.equal(await peer.ask(`many ${address} ${port} ${packets} 100`), String(packets));
      }
    }
    await open();
    const { flows } = await node.drain();
    drained.push(...flows.map((flow) => ({ ...flow, first: BigInt(flow.first), last: BigInt(flow.last) })));
    await log.drain();
  });

  after(async () => {
    await close();
    await node.remove();
    rmSync(directory, { recursive: true });
  });

  it('are on the page of their destination, and in its JSON, with the contact', async () => {
    for (const address of ['10.77.0.2', 'fd77::2']) {
      const page = await (await fetch(`${origin}/destination/${encodeURIComponent(address)}`)).text();
      for (const slice of SLICES) assert.match(page, new RegExp(`mailto:${slice}(@|%40)example\\.org`));
      assert.deepEqual(found(await ask(`/destination/${encodeURIComponent(address)}.json`)), expected(address));
    }
  });

  it('are in a file of the archive after rotation, and found there by a question about that time', async () => {
    identities.clear();
    ahead += 3 * HOUR_MS;
    await log.drain();
    const files = readdirSync(archive);
    assert.deepEqual(
      files.filter((name) => !name.endsWith('.flows.gz')),
      [],
      'none is open',
    );
    const text = files.map((name) => gunzipSync(readFileSync(join(archive, name))).toString()).join('');
    for (const { address, slice } of SENT) assert.ok(text.includes(address) && text.includes(contactOf(slice)));
    assert.deepEqual((await ask('/flows.json')).flows, [], 'out of memory');
    assert.deepEqual(found(await ask(`/flows.json?${when()}`)), expected());
  });

  it('are found there by a node manager that knows nothing of the slivers any more', async () => {
    await close();
    await open();
    assert.deepEqual((await ask('/flows.json')).flows, []);
    assert.deepEqual(found(await ask(`/flows.json?${when()}`)), expected());
    const csv = await (await fetch(`${origin}/flows.csv?${when()}&destination=fd77::2`)).text();
    assert.equal(csv.match(/^node1,Flow,/gm)?.length, 3, csv);
  });

  it('are in the answer of the whole cluster, with their node', async () => {
    const asker = createAsker(ASK_LIMITS, () => ({ asked: [{ node: 'node1', origin }], left: [] }));
    const options = { port: 0, host: '127.0.0.1', sliceNodes: () => [], asker, log: silentLog(), now };
    const cluster = await serveClusterAudit(options);
    try {
      const path = `/flows?${when()}&destination=10.77.0.2`;
      const answer = (await (await fetch(`http://127.0.0.1:${cluster.port}${path}`)).json()) as ClusterAnswer;
      assert.deepEqual(found(answer as unknown as FlowAnswer), expected('10.77.0.2'));
      assert.ok(answer.flows.every((flow) => flow.node === 'node1'));
    } finally {
      await cluster.close();
      await asker.close();
    }
  });
});
