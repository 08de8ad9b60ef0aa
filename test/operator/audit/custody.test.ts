/** The chain of custody: a packet of a slice is found, with its contact, wherever somebody may ask for it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ClusterAnswer, FlowAnswer } from '../../../crds/flows.ts';
import { silentLog } from '../../../kube/log.ts';
import { type FlowLog, PERIOD_MS } from '../../../node-daemonset/audit/flowlog.ts';
import type { Listening } from '../../../kube/listen.ts';
import { servePage } from '../../../node-daemonset/audit/page/server.ts';
import { openSource } from '../../../node-daemonset/audit/page/source.ts';
import { serveAudit } from '../../../node-daemonset/audit/server.ts';
import { ASK_LIMITS, createAsker } from '../../../operator/audit/ask.ts';
import { serveClusterAudit } from '../../../operator/audit/server.ts';
import { RecordedNode } from '../../node-daemonset/audit/flows.ts';

describe('a packet that a slice sent', () => {
  const node = new RecordedNode();
  const directory = mkdtempSync(join(tmpdir(), 'custody-'));
  const socket = join(directory, 'query.sock');
  const DAY_MS = 86_400_000;
  let log: FlowLog;
  let page: Listening;
  let closing: (() => Promise<void>)[] = [];

  before(async () => {
    log = node.open();
    await log.start();
    node.sends({ destination: '198.51.100.7', destinationPort: 33434, protocol: 17, bytes: 60, tcpFlags: 0 });
    await log.drain();
    const settings = { node: 'node1', listen: undefined, contact: '', description: '' };
    const now = (): number => node.now;
    const manager = await serveAudit({ socket, group: undefined, flows: log, settings: () => settings, now });
    page = await servePage({ source: openSource(socket), address: '127.0.0.1', port: 0, now });
    closing = [() => page.close(), () => manager.close(), () => log.stop()];
  });

  after(async () => {
    for (const close of closing) await close();
    for (const one of [directory, node.directory]) rmSync(one, { recursive: true });
  });

  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${page.port}${path}`)).text();
  const when = '?from=2026-11-23T11:00:00Z&to=2026-11-23T13:00:00Z';

  it('is on the page of its destination and in its JSON, with the contact', async () => {
    assert.match(await get('/destination/198.51.100.7'), /mailto:probe@example\.org/);
    const [flow] = (JSON.parse(await get('/destination/198.51.100.7.json')) as FlowAnswer).flows;
    assert.deepEqual([flow?.contact, flow?.destinationPort, flow?.bytes], ['probe@example.org', 33434, 60]);
  });

  it('is in the archive after rotation, and found there by a question about that time', async () => {
    node.identities.clear();
    node.now += 2 * DAY_MS;
    await log.drain();
    const files = readdirSync(node.directory).filter((name) => name.endsWith('.flows.gz'));
    assert.equal(files.length, 1);
    const text = gunzipSync(readFileSync(join(node.directory, files[0]!))).toString();
    assert.match(text, /"contact":"probe@example\.org"[^]*"198\.51\.100\.7"/);
    // out of memory by now: what the page shows comes from the disk
    assert.equal((JSON.parse(await get('/destination/198.51.100.7.json')) as FlowAnswer).flows.length, 0);
    assert.match(await get(`/destination/198.51.100.7${when}`), /mailto:probe@example\.org/);
    node.now += PERIOD_MS;
  });

  it('is in the answer of the whole cluster, with its node', async () => {
    const asker = createAsker(ASK_LIMITS, () => ({
      asked: [{ node: 'node1', origin: `http://127.0.0.1:${page.port}` }],
      left: [{ node: 'node2' }],
    }));
    const log = silentLog();
    const cluster = await serveClusterAudit({ port: 0, host: '127.0.0.1', sliceNodes: () => [], asker, log });
    closing.unshift(
      () => cluster.close(),
      () => asker.close(),
    );
    const answer = await fetch(`http://127.0.0.1:${cluster.port}/flows${when}&destination=198.51.100.0/24`);
    const { flows, nodes } = (await answer.json()) as ClusterAnswer;
    assert.deepEqual(
      flows.map((flow) => [flow.node, flow.slice, flow.contact]),
      [['node1', 'probe', 'probe@example.org']],
    );
    assert.deepEqual(
      nodes.map(({ result }) => result),
      ['Answered', 'NotPublished'],
    );
  });
});
