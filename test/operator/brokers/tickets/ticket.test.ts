import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type Amounts, amounts, portKey, toRspec } from '../../../../crds/rspec.ts';
import { formatSeconds } from '../../../../operator/brokers/tickets/claim.ts';
import { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import { decode, encode, idOf, MAX_LINKS, type Ticket, verify } from '../../../../operator/brokers/tickets/ticket.ts';
import { underHeading } from '../../../../operator/brokers/tickets/canonical.ts';
import { signWith } from '../../../../operator/brokers/tickets/key.ts';
import { ANNA, BEN, BROKER, CARL, give, keyOf, refused, shares, SITE, ticketFor, WHOLE, WINDOW } from './tickets.ts';

/** The last link signed once more, by its issuer, with something else in it. */
function resigned(ticket: Ticket, change: object, by = SITE): Ticket {
  const { claim } = ticket.at(-1)!;
  const next = { ...claim, ...change };
  return [...ticket.slice(0, -1), { claim: next, signature: signWith(by, underHeading('ticket', next as never)) }];
}

describe('a ticket', () => {
  it('proves who gave what to whom, and has one text', () => {
    const ticket = give(ticketFor(), ANNA, BEN, { resources: shares(30), node: 'node2' });
    const again = decode(encode(ticket));
    assert.deepEqual(again, ticket);
    const proof = verify(again, new Set([SITE.publicKey]));
    assert.deepEqual(
      [proof.issuer, proof.broker, proof.holder, proof.leaf.node],
      [SITE.publicKey, BROKER.publicKey, BEN.publicKey, 'node2'],
    );
    assert.equal(proof.worths[1]!.amounts.shares, 30);
    assert.deepEqual(
      proof.ids,
      ticket.map(({ claim }) => idOf(claim)),
    );
    assert.deepEqual(toRspec(amounts(proof.leaf.resources)), proof.leaf.resources);
  });

  it('is of a known issuer, or nothing is computed of the rest', () => {
    assert.throws(() => verify(ticketFor(), new Set([ANNA.publicKey])), refused('UnknownIssuer'));
  });

  it('is given on by its holder alone', () => {
    assert.throws(() => give(ticketFor(), BEN, CARL), refused('NotHolder'));
    const stolen = resigned(give(ticketFor(), ANNA, BEN), { holder: CARL.publicKey }, CARL);
    assert.throws(() => verify(stolen), refused('Forged', /link 2 of 2 is not signed by/));
  });

  it('has no link of another ticket', () => {
    const [one, other] = [give(ticketFor(), ANNA, BEN), ticketFor()];
    assert.throws(() => verify([other[0]!, one[1]!]), refused('Forged', /does not follow/));
    assert.throws(() => verify([one[1]!]), refused('Malformed'));
    assert.throws(() => verify([one[0]!, one[0]!]), refused('Malformed'));
    assert.throws(() => verify([]), refused('Malformed'));
  });

  for (const [what, change] of [
    ['shares', { resources: { ...WHOLE, cpu: { shares: 101 } } }],
    ['egress', { resources: { ...WHOLE, egress: { guarantee: '10001k', limit: '20M' } } }],
    ['a limit', { resources: { ...WHOLE, egress: { guarantee: '10M', limit: '21M' } } }],
    ['memory', { resources: { ...WHOLE, memory: '1025Mi' } }],
    ['memory without a bound', { resources: { cpu: WHOLE.cpu, egress: WHOLE.egress } }],
    ['disk', { resources: { ...WHOLE, disk: '1Mi' } }],
    ['a port', { resources: { ...WHOLE, ports: [{ protocol: 'TCP', port: 80 }] } }],
    ['a privilege', { resources: { ...WHOLE, privileges: ['RawSockets'] } }],
    ["the node's network", { resources: { ...WHOLE, network: 'Host' } }],
    ['time before', { window: { ...WINDOW, start: '2026-10-31T23:59:59Z' } }],
    ['time after', { window: { ...WINDOW, end: '2026-12-01T00:00:01Z' } }],
  ] as const) {
    it(`gives no more than there was: ${what}`, () => {
      assert.throws(() => give(ticketFor(), ANNA, BEN, change as never), refused('Widened', /^link 2 of 2 is more/));
    });
  }

  it('stays on its node', () => {
    const ticket = ticketFor({ node: 'node1' });
    assert.equal(verify(give(ticket, ANNA, BEN)).leaf.node, 'node1');
    assert.throws(() => give(ticket, ANNA, BEN, { node: 'node2' }), refused('Widened', /is for node node1/));
    const { node: _, ...free } = give(ticket, ANNA, BEN)[1]!.claim;
    const freed = [ticket[0]!, { claim: free, signature: signWith(ANNA, underHeading('ticket', free as never)) }];
    assert.throws(() => verify(freed), refused('Widened'));
  });

  it('has so many links, and no more', () => {
    let ticket = ticketFor();
    const holders = [ANNA, BEN];
    for (let n = 1; n < MAX_LINKS; n++) ticket = give(ticket, holders[(n - 1) % 2]!, holders[n % 2]!);
    assert.equal(decode(encode(ticket)).length, MAX_LINKS);
    assert.throws(() => give(ticket, holders[(MAX_LINKS - 1) % 2]!, CARL), refused('TooLarge'));
  });

  for (const [what, change] of [
    ['a field that there is none of', { extra: '1' }],
    ['no holder', { holder: 'ed25519:short' }],
    ['another writing of an amount', { resources: { ...ticketFor()[0]!.claim.resources, memory: '1024Mi' } }],
    ['a day that there is none of', { window: { ...WINDOW, end: '2026-11-31T00:00:00Z' } }],
    ['a window that ends before it starts', { window: { ...WINDOW, end: '2026-10-01T00:00:00Z' } }],
    ['a window of years', { window: { ...WINDOW, end: '2028-11-01T00:00:00Z' } }],
    ['fractions', { resources: { cpu: { shares: 1.5 } } }],
    ['null', { resources: null }],
    ['a node of another form', { node: '../secrets' }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const { claim } = ticketFor()[0]!;
      const links = [[{ ...claim, ...change }, 'A'.repeat(86)]];
      const text = `ticket1.${Buffer.from(JSON.stringify(links)).toString('base64url')}`;
      assert.throws(() => decode(text), refused('Malformed'));
    });
  }
});

const HOLDERS = ['a', 'b', 'c', 'd', 'e'].map(keyOf);
const PORTS = [80, 443, 8080].map((port) => ({ protocol: 'TCP' as const, port }));

const FIELDS = {
  cpu: fc.record({ shares: fc.integer({ min: 1, max: 60 }), excess: fc.constantFrom('Share', 'None') }),
  egress: fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
    .map(([a, b]) => ({ guarantee: `${Math.min(a, b)}M`, limit: `${Math.max(a, b)}M` })),
  memory: fc.option(fc.constantFrom('64Mi', '128Mi', '1Gi'), { nil: undefined }),
  processes: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
  ports: fc.subarray(PORTS),
  privileges: fc.subarray(['RawSockets', 'Audit'] as const),
  network: fc.constantFrom('Pod', 'Host'),
};
const rspecs = fc.record(FIELDS);
const days = fc.integer({ min: 0, max: 30 }).map((day) => Date.parse(WINDOW.start) + day * 86_400_000);
const windows = fc
  .tuple(days, days)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ start: formatSeconds(Math.min(a, b)), end: formatSeconds(Math.max(a, b)) }));
/** A change of one thing, so that some of them fit. */
const gifts = fc.oneof(
  ...Object.entries(FIELDS).map(([name, values]) => fc.record({ resources: fc.record({ [name]: values }) })),
  fc.record({ window: windows }),
  fc.record({ node: fc.constantFrom('node1', 'node2') }),
) as fc.Arbitrary<{ resources?: object; window?: object; node?: string }>;

/** Every single thing of which the one has more than the other; written once more, for whoever breaks the first writing. */
function wider(part: Amounts, whole: Amounts): string[] {
  const beyond = (one: number | undefined, all: number | undefined) => (one ?? Infinity) > (all ?? Infinity);
  const found = (
    ['shares', 'egressGuarantee', 'egressLimit', 'memory', 'disk', 'processes', 'openFiles'] as const
  ).filter((field) => beyond(part[field], whole[field])) as string[];
  const owned = new Set(whole.ports.map(portKey));
  if (part.ports.some((port) => !owned.has(portKey(port)))) found.push('ports');
  if (part.privileges.some((one) => !whole.privileges.includes(one))) found.push('privileges');
  if (part.network === 'Host' && whole.network === 'Pod') found.push('network');
  if (part.excess === 'Share' && whole.excess === 'None') found.push('excess');
  return found;
}

describe('tickets, whatever is tried', () => {
  it('never widen', () => {
    let accepted = 0;
    fc.assert(
      fc.property(rspecs, windows, fc.array(gifts, { minLength: 1, maxLength: 4 }), (resources, window, tries) => {
        let ticket = ticketFor({
          resources: toRspec(amounts(resources)),
          window,
          holder: HOLDERS[0]!.publicKey,
        });
        let links = 1;
        for (const change of tries) {
          try {
            const resources = { ...ticket.at(-1)!.claim.resources, ...change.resources };
            ticket = give(ticket, HOLDERS[links - 1]!, HOLDERS[links]!, { ...change, resources } as never);
            links++;
          } catch (error) {
            assert.ok(error instanceof Refusal && error.reason === 'Widened', String(error));
          }
        }
        const { worths } = verify(ticket);
        assert.equal(worths.length, links);
        accepted += links - 1;
        for (const [at, part] of worths.entries()) {
          for (const whole of worths.slice(0, at)) {
            assert.deepEqual(wider(part.amounts, whole.amounts), []);
            assert.ok(part.start >= whole.start && part.end <= whole.end);
            assert.ok(whole.node === undefined || part.node === whole.node);
          }
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(accepted > 100, `only ${accepted} were given on: nothing was tried`);
  });

  it('are refused with any bit flipped', () => {
    const text = encode(give(ticketFor(), ANNA, BEN, { resources: shares(10) }));
    const issuers = new Set([SITE.publicKey]);
    verify(decode(text), issuers);
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const bytes = Buffer.from(text, 'latin1');
        bytes[at]! ^= 1 << bit;
        assert.throws(() => verify(decode(bytes.toString('latin1')), issuers), Refusal);
      }),
      { numRuns: 500 },
    );
  });

  it('are refused with any bit flipped in what the text stands for', () => {
    const text = encode(give(ticketFor(), ANNA, BEN));
    const plain = Buffer.from(text.slice('ticket1.'.length), 'base64url');
    fc.assert(
      fc.property(fc.nat({ max: plain.length * 8 - 1 }), (n) => {
        const bytes = Buffer.from(plain);
        bytes[n >> 3]! ^= 1 << (n & 7);
        assert.throws(
          () => verify(decode(`ticket1.${bytes.toString('base64url')}`), new Set([SITE.publicKey])),
          Refusal,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('are refused as anything else at all', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.json(),
      fc.anything().map((value) => JSON.stringify([[value, 'x']]) ?? ''),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const encoded = `ticket1.${Buffer.from(text).toString('base64url')}`;
        for (const one of [text, encoded]) assert.throws(() => verify(decode(one)), Refusal);
      }),
    );
  });
});
