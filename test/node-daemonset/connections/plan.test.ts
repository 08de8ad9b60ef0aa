import assert from 'node:assert/strict';
import {
  elementsText,
  type ObservedTable,
  parseTable,
  type RuleFacts,
  rulesText,
} from '../../../node-daemonset/connections/nft.ts';
import { planConnections } from '../../../node-daemonset/connections/plan.ts';
import { hostSliver, icmp, podSliver, tcp, udp } from '../../kernel/host-sliver.ts';

const FACTS: RuleFacts = { perSecond: 273, burst: 16_384, level: 3, firstPort: 32_768, lastPort: 60_999 };
const NONE: ObservedTable = { exists: false, rules: undefined, elements: undefined };
const raw = { privileges: ['RawSockets' as const] };

describe('the plan of connections', () => {
  const elements = (script: readonly string[]): string[] =>
    script.filter((line) => line.startsWith('add element')).map((line) => line.replace(/.*connections /, ''));

  it("has the ports of servers on the node's network, and of raw sockets with their slivers' classes", () => {
    const slivers = [
      hostSliver('a', 1, { ports: [tcp(80), udp(53), icmp(7)] }),
      hostSliver('b', 2, { ports: [tcp(81), udp(54), icmp(8)], ...raw }),
      podSliver('c', 3, ['10.1.0.2'], { ports: [udp(55)], ...raw }),
      hostSliver('d', 4, { ports: [udp(56)], ...raw }, { standing: 'penalised' }),
    ];
    assert.deepEqual(elements(planConnections(NONE, FACTS, slivers)), [
      'served { 53, 54 }',
      'raw { 17 . 54 : 1:102, 17 . 55 : 1:103, 6 . 81 : 1:102 }',
      'echo4 { 8 : 1:102 }',
      'echo6 { 8 : 1:102 }',
    ]);
  });

  it('is needed where a sliver has sockets of the node’s network, and nowhere else', () => {
    const pod = podSliver('a', 1, ['10.1.0.2'], { ports: [udp(53)] });
    assert.deepEqual(planConnections(NONE, FACTS, [pod]), []);
    assert.match(planConnections({ ...NONE, exists: true }, FACTS, [pod]).join(), /delete table/);
    assert.ok(planConnections(NONE, FACTS, [hostSliver('a', 1)]).length > 0);
    assert.ok(planConnections(NONE, FACTS, [podSliver('a', 1, [], raw)]).length > 0);
  });

  it('writes nothing that is there, elements alone where the rules are, and all where they are others', () => {
    const slivers = [hostSliver('a', 1, { ports: [udp(53)] })];
    const [, digest] = / accept comment "(\w+)"/.exec(planConnections(NONE, FACTS, slivers).at(-1)!)!;
    const there = { exists: true, rules: rulesText(FACTS), elements: digest };
    assert.deepEqual(planConnections(there, FACTS, slivers), []);
    const others = planConnections(there, FACTS, [hostSliver('a', 1, { ports: [udp(54)] })]);
    assert.ok(others.length > 0 && !others.some((line) => /\b(table|begun)/.test(line)), others.join('\n'));
    assert.match(planConnections(there, { ...FACTS, level: 4 }, slivers).join(), /delete table/);
  });

  it('takes rules that are not all there, or not ours, for none', () => {
    const rules = (count: number, comment = rulesText(FACTS)): object[] =>
      Array.from({ length: count }, () => ({ rule: { comment } }));
    const chains = [1, 2].map((n) => ({ chain: { name: String(n), hook: 'output' } }));
    const parse = (...objects: object[]): string | undefined =>
      parseTable(JSON.stringify({ nftables: objects }), FACTS).rules;
    assert.equal(parse(...chains, ...rules(9)), rulesText(FACTS));
    assert.equal(parse(...chains.slice(1), ...rules(9)), undefined);
    assert.equal(parse(...chains, ...rules(8)), undefined);
    assert.equal(parse(...chains, ...rules(8), ...rules(1, 'another')), undefined);
    assert.deepEqual(parseTable(undefined, FACTS), NONE);
  });

  it('has one digest for the same elements in any order', () => {
    const owners = (ports: number[]): Parameters<typeof elementsText>[0] => {
      const none = new Map<number, number>();
      return { served: new Set(ports), tcp: none, udp: none, icmp: none };
    };
    assert.equal(elementsText(owners([53, 54])), elementsText(owners([54, 53])));
    assert.notEqual(elementsText(owners([53, 54])), elementsText(owners([53])));
  });
});
