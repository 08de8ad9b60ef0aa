/** What is refused because there is not enough of it: on the node, or for its namespace. */
import assert from 'node:assert/strict';
import { EMPTY_LEDGER } from '../../../node-daemonset/admission/ledger.ts';
import { admit, granted, right, shares } from '../rights.ts';
import { at, type Case, grantOf, port, refusalOf, refuses } from './answers.ts';

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
    message: /^asks 1 ports, 0 of 1 left for namespace team$/,
  },
  {
    what: 'more ports than are left in a part of its window, and says which',
    held: [
      right('a', port(8000), { window: { start: at(1), end: at(2) } }),
      right('w', port(8001), { window: { start: at(3), end: at(5) } }),
      right('v', port(8002), { window: { start: at(4), end: at(6) } }),
    ],
    rcap: right('b', port(8003), { window: { end: at(9) } }),
    change: { spec: { namespaces: [{ name: 'team', budget: { ports: 2 } }] } },
    reason: 'NamespaceBudget',
    message: /^asks 1 ports, 0 of 2 left for namespace team from 2026-11-05T00:00:00Z until 2026-11-06T00:00:00Z$/,
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
];

describe('admission', () => {
  refuses(REFUSALS);

  it('counts the ports of a namespace at each instant, also those of its parts of other namespaces’ rights', () => {
    const spec = { namespaces: [{ name: 'team', budget: { ports: 2 } }] };
    const day = (from: number) => ({ window: { start: at(from), end: at(from + 1) } });
    const lab = { namespace: 'lab' };
    const whole = right('whole', port(8000), { window: { end: at(9) } }, lab);
    const part = right('part', port(8000), { ...day(0), from: 'right-whole' }, lab);
    const one = granted(whole, part);
    // as if it had passed
    const handed = one.entries.map((entry) => (entry.uid === 'part' ? { ...entry, namespace: 'team' } : entry));
    const before = { ...one, entries: handed };
    const others = [right('c', port(8001), day(2)), right('d', port(8001), day(4))];
    const held = [whole, { ...part, metadata: { ...part.metadata, namespace: 'team' } }, ...others];
    const asked = right('b', port(8003), { window: { end: at(9) } });
    const more = right('e', port(8004), { window: { end: at(9) } });
    const { ledger } = admit(before, [...held, asked, more], { spec });
    assert.equal(grantOf(ledger, 'b').amounts.ports.length, 1);
    assert.deepEqual(refusalOf(ledger, 'e'), {
      ...refusalOf(ledger, 'e'),
      reason: 'NamespaceBudget',
      message: 'asks 1 ports, 0 of 2 left for namespace team until 2026-11-02T00:00:00Z',
    });
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
});
