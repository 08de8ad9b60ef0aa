import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import {
  MAX_REQUEST,
  readAnswer,
  readRequest,
  refusedAs,
  signAnswer,
  signRequest,
} from '../../../../operator/brokers/tickets/request.ts';
import { open, seal, sealingKey } from '../../../../operator/brokers/tickets/seal.ts';
import { encode, type Link } from '../../../../operator/brokers/tickets/ticket.ts';
import { ANNA, BEN, BROKER, CARL, give, NOW, nonceOf, refused, requestText, SITE, ticketFor } from './tickets.ts';

const HERE = { broker: BROKER.publicKey, issuers: new Set([SITE.publicKey]), now: NOW };
/** More levels than a stack has room for. */
const DEEP = '['.repeat(10_000) + ']'.repeat(10_000);
const VALUE = '5f1c0e6a6f0b4f0e9d3c6f4a9a1b7c2d';

describe('a request', () => {
  const ticket = give(ticketFor(), ANNA, BEN);

  it('proves the ticket and who holds it', () => {
    const { proof, node, contact } = readRequest(requestText(ticket, BEN), HERE);
    assert.deepEqual([proof.holder, node, contact], [BEN.publicKey, 'node1', 'ops@example.org']);
  });

  it('is signed by the holder, not by who had it before or who found it', () => {
    for (const key of [ANNA, CARL])
      assert.throws(() => readRequest(requestText(ticket, key), HERE), refused('NotHolder'));
  });

  it('is for one broker, as its ticket is', () => {
    const other = requestText(ticket, BEN, { broker: CARL.publicKey });
    assert.throws(() => readRequest(other, HERE), refused('WrongBroker', /the request is for another/));
    const elsewhere = give(ticketFor({ broker: CARL.publicKey }), ANNA, BEN);
    assert.throws(
      () => readRequest(requestText(elsewhere, BEN), HERE),
      refused('WrongBroker', /the ticket is redeemed at/),
    );
  });

  it('is good for some minutes', () => {
    for (const off of [-301, 301]) {
      assert.throws(() => readRequest(requestText(ticket, BEN, { time: NOW / 1000 + off }), HERE), refused('Stale'));
    }
    assert.ok(readRequest(requestText(ticket, BEN, { time: NOW / 1000 - 300 }), HERE));
  });

  it('is refused with any bit flipped, and whatever else it is', () => {
    const text = requestText(ticket, BEN);
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const bytes = Buffer.from(text, 'latin1');
        bytes[at]! ^= 1 << bit;
        assert.throws(() => readRequest(bytes.toString('latin1'), HERE), Refusal);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (any) => assert.throws(() => readRequest(any, HERE), Refusal)),
    );
    assert.throws(() => readRequest('x'.repeat(MAX_REQUEST + 1), HERE), refused('TooLarge'));
  });

  for (const [what, change] of [
    ['a node of another form', { node: 'a/b' }],
    ['no contact', { contact: '' }],
    ['a contact of two lines', { contact: 'a\nb@example.org' }],
    ['a fraction of time', { time: 1.5 }],
    ['a short nonce', { nonce: 'AAAA' }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const fields = JSON.parse(requestText(ticket, BEN)) as object;
      assert.throws(() => readRequest(JSON.stringify({ ...fields, ...change }), HERE), refused('Malformed'));
    });
  }

  for (const [what, resources] of [
    ['a field that there is none of', `{"x":${DEEP}}`],
    ['an amount', `{"cpu":{"shares":${DEEP}}}`],
    ['a port', `{"ports":[{"protocol":"TCP","port":${DEEP}},{"protocol":"TCP","port":80}]}`],
    ['a privilege', `{"privileges":[${DEEP}]}`],
    ['their place', DEEP],
  ] as const) {
    it(`is refused with however much in ${what} of its resources`, () => {
      const [{ claim, signature }] = ticketFor() as [Link];
      const deep = JSON.stringify([[{ ...claim, resources: 0 }, signature]]).replace('"resources":0', () => {
        return `"resources":${resources}`;
      });
      const fields = JSON.parse(requestText(ticket, BEN)) as object;
      const asTicket = `ticket1.${Buffer.from(deep).toString('base64url')}`;
      const text = JSON.stringify({ ...fields, ticket: asTicket });
      assert.throws(() => readRequest(text, HERE), refused('Malformed', /more than 16 levels/));
    });
  }

  it('is refused with however much in any of its fields, and of its ticket', () => {
    const fields = JSON.parse(requestText(ticket, BEN)) as Record<string, unknown>;
    // JSON.stringify has a stack, too
    const around = (text: string) => text.replace('"HERE"', () => DEEP);
    for (const name of Object.keys(fields)) {
      const text = around(JSON.stringify({ ...fields, [name]: 'HERE' }));
      assert.throws(() => readRequest(text, HERE), refused('Malformed'), name);
    }
    const [{ claim, signature }] = ticketFor() as [Link];
    const claims = Object.keys(claim).map((name) => [[{ ...claim, [name]: 'HERE' }, signature]]);
    for (const links of [...claims, ['HERE'], 'HERE', [['HERE', signature]], [[claim, 'HERE']]]) {
      const asTicket = `ticket1.${Buffer.from(around(JSON.stringify(links))).toString('base64url')}`;
      const text = JSON.stringify({ ...fields, ticket: asTicket });
      assert.throws(() => readRequest(text, HERE), refused('Malformed'));
    }
  });

  it('has no field that there is none of', () => {
    const fields = JSON.parse(requestText(ticket, BEN)) as object;
    assert.throws(() => readRequest(JSON.stringify({ ...fields, more: 1 }), HERE), refused('Malformed', /"more"/));
  });

  it('makes nobody check many signatures of strangers', () => {
    const stranger = { ...HERE, issuers: new Set([CARL.publicKey]) };
    assert.throws(() => readRequest(requestText(ticket, BEN), stranger), refused('UnknownIssuer'));
  });
});

describe('an answer', () => {
  const nonce = nonceOf('answer');
  const value = seal(VALUE, sealingKey(ANNA, nonce));
  const window = { start: 'a', end: 'b' };
  const request = requestText(ticketFor(), ANNA, { nonce });
  const said = { node: 'node1', right: 'tickets/x', resources: {}, window, ticket: 't', value };
  const text = JSON.stringify(signAnswer({ outcome: 'Redeemed', ...said }, request, BROKER));
  const expected = { broker: BROKER.publicKey, request };

  it('opens to the holder who asked, again and again, and to nobody else', () => {
    const answer = readAnswer(text, expected);
    assert.ok(answer.outcome === 'Redeemed');
    assert.equal(open(answer.value, ANNA, nonce), VALUE);
    assert.ok(!text.includes(VALUE));
    assert.throws(() => open(answer.value, BEN, nonce), refused('Forged'));
    assert.throws(() => open(answer.value, ANNA, nonceOf('other')), refused('Forged'));
    const bent = Buffer.from(answer.value.text, 'base64url');
    bent[3]! ^= 1;
    assert.throws(() => open({ ...answer.value, text: bent.toString('base64url') }, ANNA, nonce), refused('Forged'));
    assert.throws(() => open({ from: 'AAAA', text: 'AAAA' }, ANNA, nonce), refused('Malformed'));
    assert.throws(() => open({ ...answer.value, text: '' }, ANNA, nonce), refused('Forged'));
  });

  it('is sealed to no key that is none', () => {
    assert.throws(
      () => seal(VALUE, Buffer.alloc(32).toString('base64url')),
      refused('Malformed', /sealing key is none/),
    );
  });

  it('is of this broker, to this request, as it was said', () => {
    assert.throws(() => readAnswer(text, { ...expected, broker: CARL.publicKey }), refused('Forged', /not signed by/));
    const other = requestText(ticketFor(), ANNA, { nonce: nonceOf('other') });
    assert.throws(() => readAnswer(text, { ...expected, request: other }), refused('Forged', /another request/));
    assert.throws(() => readAnswer(text.replace('node1', 'node2'), expected), refused('Forged'));
    const deep = `{"answer":${DEEP},"signature":"x"}`;
    for (const none of ['', '{}', 'null', '[]', '{"answer":{"request":null}}', '{"answer":1,"signature":"x"}', deep]) {
      assert.throws(() => readAnswer(none, expected), Refusal);
    }
  });

  it('that refuses says why, and what is left', () => {
    const left = { shares: 3, egress: 0, memory: 0, disk: 0 };
    const refusal = refusedAs(new Refusal('OverIssued', 'asks 4', { left }));
    const { request: hash, ...read } = readAnswer(JSON.stringify(signAnswer(refusal, request, BROKER)), expected);
    assert.deepEqual(read, { outcome: 'Refused', reason: 'OverIssued', message: 'asks 4', left });
    assert.equal(hash, createHash('sha256').update(request).digest('base64url'));
  });

  it('to what another sent under the same nonce is none to the holder', () => {
    const refusal = refusedAs(new Refusal('Malformed', 'no request'));
    const ours = JSON.parse(request) as object;
    const others = [{ nonce }, { ...ours, more: 1 }, { ...ours, ticket: 'x' }].map((one) => JSON.stringify(one));
    for (const sent of [...others, ` ${request}`, requestText(ticketFor(), BEN, { nonce })]) {
      for (const one of [refusal, { outcome: 'Redeemed' as const, ...said }]) {
        const answer = JSON.stringify(signAnswer(one, sent, BROKER));
        assert.ok(readAnswer(answer, { ...expected, request: sent }));
        assert.throws(() => readAnswer(answer, expected), refused('Forged', /another request/));
      }
    }
  });
});

it('a request says nothing of the key that signs it', () => {
  const { seed } = ANNA;
  const text = signRequest(
    {
      ...{ ticket: encode(ticketFor()), broker: BROKER.publicKey, node: 'node1', contact: 'ops@example.org' },
      ...{ nonce: nonceOf('n'), time: 1, seal: sealingKey(ANNA, nonceOf('n')) },
    },
    ANNA,
  );
  assert.ok(!text.includes(seed.toString('base64url')));
});
