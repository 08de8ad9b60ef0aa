import assert from 'node:assert/strict';
import { parseTable, addElements, removeElements, skeleton } from '../../../node-daemonset/egress/nft.ts';
import {
  classLine,
  leafLine,
  parseBatchErrors,
  parseClasses,
  parseQdiscs,
  parseRate,
} from '../../../node-daemonset/egress/tc.ts';
import type { HtbClass } from '../../../node-daemonset/egress/tree.ts';

const CLASSES = `class htb 1:101 parent 1:10 leaf 101: prio 0 quantum 3028 rate 5Kbit ceil 10Mbit linklayer ethernet burst 1600b/1 mpu 0b cburst 1600b/1 mpu 0b level 0 
 Sent 1514 bytes 1 pkt (dropped 7, overlimits 0 requeues 0) 
 backlog 3Kb 2p requeues 0
 lended: 0 borrowed: 0 giants: 0
 tokens: 40000000 ctokens: 20000

class htb 1:1 root rate 120Mbit ceil 120Mbit linklayer ethernet burst 15Kb/1 mpu 0b cburst 15Kb/1 mpu 0b level 7 
 Sent 90 bytes 1 pkt (dropped 0, overlimits 0 requeues 0) 
 backlog 0b 0p requeues 0

class tbf 101:1 parent 101: 

`;

const QDISCS = JSON.stringify([
  { kind: 'noqueue', handle: '0:', dev: 'lo', root: true, options: {} },
  { kind: 'htb', handle: '1:', dev: 'eth0', root: true, options: { r2q: 33080, default: '0x2' } },
  {
    kind: 'tbf',
    handle: '101:',
    dev: 'eth0',
    parent: '1:101',
    options: { rate: 1250000000, burst: 3750, lat: 97, limit: 125000 },
  },
  { kind: 'htb', handle: '1:', dev: 'eth1', root: true, options: { r2q: 10 } },
  { kind: 'mq', handle: '0:', dev: 'eth2', root: true, options: {} },
  { kind: 'fq_codel', handle: '0:', dev: 'eth2', parent: ':1', options: { limit: 10240 } },
  { kind: 'fq_codel', handle: '8001:', dev: 'eth3', root: true, options: { limit: 10240 } },
]);

describe('what tc and nft say', () => {
  it('reads the classes, their counters and the queues below them', () => {
    const lines = parseQdiscs(QDISCS);
    const { classes, counters } = parseClasses(CLASSES, lines.get('eth0')!.leaves);
    const leaf = { kind: 'tbf', rate: 10e9, limit: 125_000 };
    assert.deepEqual(classes.get(0x101), { minor: 0x101, parent: 0x10, rate: 5000, ceil: 10e6, quantum: 3028, leaf });
    assert.deepEqual(classes.get(1), {
      minor: 1,
      parent: 0,
      rate: 120e6,
      ceil: 120e6,
      quantum: undefined,
      leaf: undefined,
    });
    assert.deepEqual(counters.get(0x101), { bytes: 1514, packets: 1, drops: 7, backlog: 3072 });
    assert.equal(classes.size, 2);
  });

  it('knows its own root qdisc, a default one and a foreign one', () => {
    const roots = [...parseQdiscs(QDISCS)].map(([dev, { root }]) => [dev, root]);
    assert.deepEqual(roots, [
      ['lo', 'default'],
      ['eth0', 'ours'],
      ['eth1', 'foreign'],
      ['eth2', 'default'],
      ['eth3', 'foreign'],
    ]);
  });

  it('refuses a rate that it does not understand rather than to guess', () => {
    assert.equal(parseRate('8bit'), 8);
    assert.throws(() => parseRate('10Mibit'), /not understood/);
  });

  it('lets nothing into a batch but what it knows', () => {
    const htb: HtbClass = { minor: 0x101, parent: 0x10, rate: 1000, ceil: 1e6, quantum: 3028, leaf: undefined };
    assert.equal(
      classLine('eth0', htb),
      'class replace dev eth0 parent 1:10 classid 1:101 htb rate 1000bit ceil 1000000bit burst 1600 cburst 1600 quantum 3028',
    );
    assert.throws(() => classLine('eth0\nqdisc del dev eth0 root', htb), /no interface name/);
    assert.throws(() => classLine('eth0', { ...htb, rate: NaN }), /whole number/);
    assert.throws(() => leafLine('eth0', 0x101, { kind: 'bfifo', limit: 1.5 }), /whole number/);
    assert.throws(() => addElements('v4', [['"pod0" . 10.0.0.1 }; flush ruleset', 0x101]]), /v4 address/);
    assert.throws(() => addElements('v4', [['"pod0" . fd00::1', 0x101]]), /v4 address/);
    assert.throws(() => addElements('v4', [['"pod0" . 10.0.0.1', 0x10]]), /no class/);
    assert.throws(() => removeElements('v6', ['x']), /v6 address/);
  });

  it('finds the line of a batch that failed', () => {
    const stderr =
      'Error: Specified class not found.\nCommand failed -:2\nRTNETLINK answers: File exists\nCommand failed -:5\n';
    assert.deepEqual(parseBatchErrors(stderr), [
      { line: 1, message: 'Error: Specified class not found.' },
      { line: 4, message: 'RTNETLINK answers: File exists' },
    ]);
  });

  it('takes a table for complete only with all maps and sets, the hook and its own rules', () => {
    const comments = skeleton().flatMap((line) => /comment "(.*)"/.exec(line)?.[1] ?? []);
    const objects = [
      { map: { name: 'from4', elem: [[{ concat: ['pod0', '10.0.0.1'] }, '1:101']] } },
      { map: { name: 'from6' } },
      { map: { name: 'exempt', elem: [['1:101', '1:8101']] } },
      { set: { name: 'exempt4', elem: ['192.0.2.1', { prefix: { addr: '10.0.0.0', len: 8 } }] } },
      { set: { name: 'exempt6' } },
      { chain: { name: 'classify', hook: 'forward', prio: 0 } },
      ...comments.map((comment) => ({ rule: { chain: 'classify', comment } })),
    ];
    const parse = (list: unknown[]): boolean => parseTable(JSON.stringify({ nftables: list })).complete;
    assert.equal(parse(objects), true);
    for (const i of objects.keys())
      assert.equal(parse(objects.toSpliced(i, 1)), false, `without ${JSON.stringify(objects[i])}`);
    assert.deepEqual([...parseTable(JSON.stringify({ nftables: objects })).maps.v4], [['"pod0" . 10.0.0.1', 0x101]]);
    const { classes, v4 } = parseTable(JSON.stringify({ nftables: objects })).exempt;
    assert.deepEqual([[...classes], [...v4]], [[0x101], ['192.0.2.1', '10.0.0.0/8']]);
    assert.equal(parseTable(undefined).complete, false);
  });
});
