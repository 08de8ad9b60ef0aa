/**
 * What pods may do on the network, all of it: {TCP, UDP, ICMP, raw} x {IPv4, IPv6} x {bind, autobind, connect, send} x whose
 * the port is x who does it x by which means. Each cell is tried, and the world looks on.
 */
import assert from 'node:assert/strict';
import { type Cell, CELLS, expected, KINDS, type Outcome, PLACES } from './matrix-cells.ts';
import { NODE } from './matrix-steps.ts';
import { cellOf, MatrixWorld, OWNED, portOf } from './matrix-world.ts';
import type { Captured } from './packets.ts';

/** Of all cells; what a cell is not tried for is a word of `expected`. */
const COUNTS = {
  allowed: 391,
  silent: 33,
  EACCES: 117,
  EADDRINUSE: 76,
  EADDRNOTAVAIL: 20,
  EAGAIN: 40,
  ENETUNREACH: 118,
  EPERM: 304,
  'not: PKTINFO is part of a datagram': 308,
  'not: a connection has been made from an address': 22,
  'not: a raw socket is bound by a request, which says a port and no more': 504,
  'not: a request for any port is one for an own one': 36,
  'not: an ordinary pod has no raw socket': 216,
  'not: an ordinary pod owns nothing': 336,
  'not: it connects to an address, not to a port': 390,
  'not: only UDP is cut into segments': 440,
  'not: only raw sockets write headers': 528,
  'not: only what is sent is cut into segments': 44,
  'not: ping sockets of IPv6 do not heed PKTINFO': 22,
  'not: some kernels let ping sockets share an identifier': 38,
  'not: the kernel counts identifiers up': 49,
};

const say = (outcome: Outcome): string =>
  typeof outcome === 'string' ? outcome : 'refused' in outcome ? outcome.refused : `not: ${outcome.not}`;
const name = ({ family, act, owner, means }: Cell): string => `IPv${family} ${act} ${owner}, ${means}`;

/** From the node's address; and from a port or by an identifier of nobody else's, which is the own one where it is about that. */
function mayLeave(cell: Cell, { source, sourcePort, echo }: Captured): boolean {
  if (expected(cell) !== 'allowed') return false;
  const from = sourcePort || echo;
  const forges = cell.means === 'FREEBIND' || cell.means === 'PKTINFO';
  if (source !== NODE[cell.family]) return cell.place === 'ordinary' && forges;
  const own = portOf({ ...cell, owner: 'own' });
  if (cell.act === 'send' && cell.owner === 'own') return from === own;
  return from === own || !OWNED.includes(from);
}

/** What carries no cell's name: resets, acknowledgements and the like, of the node's; an interface without an address has `::`. */
function isOrdinary({ source }: Captured): boolean {
  return source === NODE[4] || source === NODE[6] || source === '::' || source.startsWith('fe80:');
}

describe('the matrix of what pods may do on the network', () => {
  const cells = CELLS.filter((cell) => !say(expected(cell)).startsWith('not: '));
  let world: MatrixWorld;
  let outcomes: ReadonlyMap<number, Outcome>;
  let seen: readonly Captured[];

  before(async () => {
    world = new MatrixWorld();
    await world.start();
    ({ outcomes, seen } = await world.tryAll(cells));
  });
  after(() => world.node.remove());

  it('has so many cells, and leaves out so many for these reasons', () => {
    const counts: Record<string, number> = {};
    for (const outcome of CELLS.map(expected).map(say)) counts[outcome] = (counts[outcome] ?? 0) + 1;
    assert.deepEqual(counts, COUNTS);
  });

  it('let nothing out that may not leave, and all that may', () => {
    const forbidden = seen.filter((packet) => {
      const cell = CELLS[cellOf(packet) ?? -1];
      return cell && !mayLeave(cell, packet);
    });
    assert.deepEqual(forbidden, []);
    const strange = seen.filter((one) => cellOf(one) === undefined && !isOrdinary(one));
    assert.deepEqual(strange, []);
  });

  for (const place of PLACES) {
    for (const kind of KINDS) {
      const some = cells.filter((cell) => cell.place === place && cell.kind === kind);
      it(`${place}, ${kind}: ${some.length} cells`, () => {
        const wrong = some.flatMap((cell) => {
          const [is, should] = [say(outcomes.get(cell.number)!), say(expected(cell))];
          return is === should ? [] : [`${name(cell)}: ${is}, not ${should}`];
        });
        assert.deepEqual(wrong, []);
      });
    }
  }
});
