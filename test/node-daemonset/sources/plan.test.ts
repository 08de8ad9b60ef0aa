import assert from 'node:assert/strict';
import { beginningsOf, parseTable, type Table, TABLES } from '../../../node-daemonset/sources/nft.ts';
import { type ObservedSources, planSources } from '../../../node-daemonset/sources/plan.ts';
import { makeSliver } from '../desired.ts';

const [ROUTED, BRIDGED] = TABLES;

const observed = (exists = false): ObservedSources => ({
  tables: Object.fromEntries(
    TABLES.map((table) => [table, { exists, elements: undefined }]),
  ) as ObservedSources['tables'],
  interfaces: new Set(['eth0', 'br0', 'p1', 'h3']),
  bridges: new Set(['br0']),
  beginnings: beginningsOf(262_144),
});
const elements = (script: readonly string[], set: string): string =>
  script.find((line) => line.includes(` ${set} {`) && line.startsWith('add element')) ?? '';

describe('the plan of sources', () => {
  const sliver = (interfaces: string[], addresses = ['10.0.0.2', '64:ff9b::2']) =>
    makeSliver('a', {}, { addresses, interfaces });
  const plan = (...interfaces: string[]): Record<Table, string[]> => planSources(observed(), [sliver(interfaces)]);

  it('keeps an address for the cable of its pod, and on a bridge for the port', () => {
    assert.match(elements(plan('h3')[ROUTED], 'by4'), /\{ "h3" \. 10\.0\.0\.2 \}$/);
    assert.deepEqual(plan('h3')[BRIDGED], []);
    const both = plan('p1', 'br0');
    assert.match(elements(both[ROUTED], 'by6'), /\{ "br0" \. 64:ff9b::2, "p1" \. 64:ff9b::2 \}$/);
    assert.match(elements(both[BRIDGED], 'by4'), /\{ "p1" \. 10\.0\.0\.2 \}$/);
    assert.match(elements(both[BRIDGED], 'targetBy'), /\{ "p1" \. 0x64ff9b0{23}2 \}$/);
  });

  it('keeps nothing where no cable is known, or it is gone, and nothing that is no address', () => {
    for (const interfaces of [[], ['br0'], ['gone', 'br0'], ['h3"; drop']]) {
      assert.deepEqual(plan(...interfaces), { [ROUTED]: [], [BRIDGED]: [] }, interfaces.join());
    }
    assert.deepEqual(planSources(observed(), [sliver(['h3'], ['10.0.0.300'])])[ROUTED], []);
    const gone = planSources(observed(true), []);
    assert.match(gone[ROUTED].join(), /delete table inet slice_operator_sources/);
  });

  it('takes a table of another version for none', () => {
    const rule = { rule: { comment: 'sources, 0' } };
    assert.equal(
      parseTable(ROUTED, JSON.stringify({ nftables: [rule, rule, rule, rule] }), beginningsOf(262_144)),
      undefined,
    );
  });
});
