import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import {
  MAX_REQUEST,
  nonceIn,
  readAnswer,
  readRequest,
  refusedAs,
  signAnswer,
  signRequest,
} from '../../../../operator/brokers/tickets/request.ts';
import { open, seal, sealingKey } from '../../../../operator/brokers/tickets/seal.ts';
import { encode } from '../../../../operator/brokers/tickets/ticket.ts';
import { ANNA, BEN, BROKER, CARL, give, NOW, nonceOf, refused, requestText, SITE, ticketFor } from './tickets.ts';

const HERE = { broker: BROKER.publicKey, issuers: new Set([SITE.publicKey]), now: NOW };
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
  const said = { nonce, node: 'node1', right: 'tickets/x', resources: {}, window, ticket: 't', value };
  const text = JSON.stringify(signAnswer({ outcome: 'Redeemed', ...said }, BROKER));
  const expected = { broker: BROKER.publicKey, nonce };

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
    assert.throws(
      () => readAnswer(text, { ...expected, nonce: nonceOf('other') }),
      refused('Forged', /another request/),
    );
    assert.throws(() => readAnswer(text.replace('node1', 'node2'), expected), refused('Forged'));
    for (const other of ['', '{}', 'null', '[]', '{"answer":{"nonce":null}}', '{"answer":1,"signature":"x"}']) {
      assert.throws(() => readAnswer(other, expected), Refusal);
    }
  });

  it('that refuses says why, and what is left', () => {
    const left = { shares: 3, egress: 0, memory: 0, disk: 0 };
    const refusal = refusedAs(new Refusal('OverIssued', 'asks 4', { left }), nonce);
    const read = readAnswer(JSON.stringify(signAnswer(refusal, BROKER)), expected);
    assert.deepEqual(read, { outcome: 'Refused', reason: 'OverIssued', message: 'asks 4', left, nonce });
  });

  it('to what can hardly be read has its nonce all the same', () => {
    assert.equal(nonceIn(JSON.stringify({ nonce, more: 1 })), nonce);
    for (const other of ['', 'null', '{"nonce":1}', '{"nonce":"AA"}']) assert.equal(nonceIn(other), undefined);
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
