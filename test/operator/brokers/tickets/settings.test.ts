import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseAllDocuments, stringify } from 'yaml';
import { readSettings } from '../../../../operator/brokers/tickets/settings.ts';
import { refused, SITE } from './tickets.ts';

const ISSUER = { name: 'site', key: SITE.publicKey, nodes: ['node1'], resources: { cpu: { shares: 5 } } };

describe('the settings of a broker of tickets', () => {
  it('are those of the example', () => {
    const text = readFileSync(new URL('../../../../examples/tickets/broker.yaml', import.meta.url), 'utf8');
    const objects = parseAllDocuments(text).map((one) => one.toJS() as { kind: string; data: Record<string, string> });
    const settings = objects.find(({ kind }) => kind === 'ConfigMap')!.data['settings.yaml']!;
    assert.deepEqual(readSettings(settings).issuers, [], 'as it is, it trusts nobody');
    const filled = settings.replace('issuers: []', 'issuers:').replaceAll(/^# /gm, '');
    const { issuers, revoked } = readSettings(filled.replace('ed25519:...', SITE.publicKey));
    assert.deepEqual(
      [issuers[0]!.name, issuers[0]!.nodes, issuers[0]!.amounts.shares],
      ['riverside', ['node1', 'node2'], 150],
    );
    assert.equal(revoked.size, 0);
  });

  it('name keys and links that were revoked', () => {
    assert.ok(readSettings(stringify({ issuers: [ISSUER], revoked: [SITE.publicKey] })).revoked.has(SITE.publicKey));
  });

  for (const [what, value, message] of [
    ['no YAML', '{', /no YAML/],
    ['nothing', '', /must be an object/],
    ['no issuers', 'revoked: []', /no issuers/],
    ['another field', stringify({ issuers: [], issuer: 1 }), /"issuer"/],
    [
      'one key twice',
      stringify({ issuers: [ISSUER, { ...ISSUER, name: 'other' }] }),
      /the key of other is there twice/,
    ],
    ['a key that is none', stringify({ issuers: [{ ...ISSUER, key: 'ed25519:AAAA' }] }), /issuers\[0\]\.key/],
    ['resources that are none', stringify({ issuers: [{ ...ISSUER, resources: { cpu: { shares: 0 } } }] }), /shares/],
    [
      'resources with another field',
      stringify({ issuers: [{ ...ISSUER, resources: { cpu: { shares: 5 }, memroy: '1Gi' } }] }),
      /issuers\[0\]\.resources: there is no field memroy: /,
    ],
    ['a node of another form', stringify({ issuers: [{ ...ISSUER, nodes: ['A B'] }] }), /nodes/],
  ] as const) {
    it(`are refused with ${what}`, () => assert.throws(() => readSettings(value), refused('Malformed', message)));
  }
});
