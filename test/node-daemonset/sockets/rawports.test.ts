import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHolders } from '../../../node-daemonset/sockets/ordinary.ts';
import { parseRuleset, planRuleset } from '../../../node-daemonset/sockets/rawports.ts';
import { parseInodes, rawPortsOf, SocketRegistry } from '../../../node-daemonset/sockets/registry.ts';

const raw = (port: number) => ({ open: 'raw', protocol: 'tcp', family: 4, port, headerIncluded: false }) as const;

describe('the kernel’s rules about raw ports', () => {
  it('name each port, and nothing that is no port', () => {
    assert.match(planRuleset({ tcp: [5001, 5002], udp: [] }), /add element inet slice_operator raw_tcp { 5001, 5002 }/);
    assert.doesNotMatch(planRuleset({ tcp: [], udp: [] }), /add element/);
    assert.throws(() => planRuleset({ tcp: [0], udp: [] }), /no port/);
  });

  it('are taken for missing where a chain was emptied, or filled by another version', () => {
    const listed = (comment: string, count = 12): string =>
      JSON.stringify({
        nftables: [
          { set: { name: 'raw_tcp', elem: [5001] } },
          { set: { name: 'raw_udp' } },
          { set: { name: 'exempt4', elem: [{ prefix: { addr: '192.0.2.0', len: 24 } }] } },
          { rule: { chain: 'classify', comment: 'classify v4, 2' } },
          ...Array.from({ length: count }, () => ({ rule: { chain: 'raw_ports', comment } })),
        ],
      });
    assert.deepEqual(parseRuleset(listed('raw ports, 1')), { tcp: [5001], udp: [] });
    assert.equal(parseRuleset(listed('raw ports, 1', 11)), 'other');
    assert.equal(parseRuleset(listed('raw ports, 0')), 'other');
    assert.equal(parseRuleset(undefined), 'none');
    assert.equal(parseRuleset('{"nftables":[{"rule":{"chain":"classify"}}]}'), 'none');
  });
});

describe('raw sockets that were passed on', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'registry-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('are known for as long as they are open, also after a restart', () => {
    const file = join(directory, 'raw.json');
    let live = new Set([1, 2]);
    const registry = new SocketRegistry(file, () => live);
    registry.add({ inode: 1, sliver: 'a', opened: raw(5001) });
    registry.add({ inode: 2, sliver: 'a', opened: raw(5002) });
    live = new Set([2]);
    const again = new SocketRegistry(file, () => live);
    assert.deepEqual(rawPortsOf(again.live()), { tcp: [5002], udp: [] });
    assert.equal((JSON.parse(readFileSync(file, 'utf8')) as unknown[]).length, 1);
  });

  it('are forgotten where the file makes no sense', () => {
    const file = join(directory, 'raw.json');
    for (const text of ['{', '{}', '[{"inode":1}]', 'null']) {
      writeFileSync(file, text);
      assert.deepEqual(new SocketRegistry(file, () => new Set([1])).live(), [], text);
    }
  });

  it('are found in the kernel’s table', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   6: 00000000:0006 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1864502 2 0000000000000000 0
`;
    assert.deepEqual(parseInodes(table), [1864502]);
  });
});

describe('ordinary sockets on a port', () => {
  it('are those that somebody holds', () => {
    const text = 'LISTEN    0 511 *:5001 *:*\nTIME-WAIT 0 0 10.0.0.1:5001 10.0.0.2:80\n';
    assert.deepEqual(parseHolders(text), [{ state: 'LISTEN', local: '*:5001' }]);
    assert.deepEqual(parseHolders(''), []);
  });
});
