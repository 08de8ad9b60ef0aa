import assert from 'node:assert/strict';
import { Refusal, type SocketRequest } from '../../../node-daemonset/sockets/request.ts';
import { mayKeep, planLost, planOpen } from '../../../node-daemonset/sockets/rights.ts';
import { makeSliver } from '../desired.ts';

const sliver = makeSliver('a', {
  privileges: ['RawSockets'],
  ports: [
    { protocol: 'TCP', port: 5001 },
    { protocol: 'TCP', port: 4001 },
    { protocol: 'UDP', port: 53 },
    { protocol: 'ICMP', port: 77 },
  ],
});
const raw: SocketRequest = { open: 'raw', protocol: 'tcp', family: 4, port: 5001, headerIncluded: false };

const isRefused = (request: SocketRequest, of = sliver, message = /./): void =>
  assert.throws(
    () => planOpen(request, of),
    (error) => error instanceof Refusal && error.code === 'EPERM' && message.test(error.message),
  );

describe('a right to a socket', () => {
  it('comes with an owned port of the same protocol', () => {
    assert.deepEqual(planOpen(raw, sliver), raw);
    isRefused({ ...raw, port: 5002 }, sliver, /TCP port 5002 does not belong/);
    isRefused({ ...raw, protocol: 'udp' }, sliver, /UDP port 5001/);
    isRefused({ open: 'sniffer', protocol: 'udp', port: 5001 });
    isRefused({ open: 'icmp', family: 4, identifier: 53 }, sliver, /ICMP identifier 53/);
    isRefused({ open: 'icmp', family: 4, identifier: 77, errorsOf: { protocol: 'tcp', port: 77 } });
  });

  it('makes of "any" the lowest owned port', () => {
    assert.deepEqual(planOpen({ ...raw, port: 'any' }, sliver), { ...raw, port: 4001 });
    assert.deepEqual(
      planOpen({ open: 'icmp', family: 6, identifier: 'any', errorsOf: { protocol: 'udp', port: 'any' } }, sliver),
      { open: 'icmp', family: 6, identifier: 77, errorsOf: { protocol: 'udp', port: 53 } },
    );
    isRefused({ ...raw, port: 'any' }, makeSliver('b', { privileges: ['RawSockets'] }), /no TCP port belongs/);
  });

  it('takes the privilege', () => {
    isRefused(raw, makeSliver('b', { ports: sliver.amounts.ports }), /privilege RawSockets/);
    isRefused({ open: 'audit' }, sliver, /privilege Audit/);
    assert.deepEqual(planOpen({ open: 'audit' }, makeSliver('b', { privileges: ['Audit'] })), { open: 'audit' });
  });

  it('is gone with the sliver’s standing', () => {
    isRefused(raw, { ...sliver, standing: 'penalised' });
    assert.equal(mayKeep(raw, sliver), true);
    assert.equal(mayKeep(raw, { ...sliver, standing: 'frozen' }), false);
    assert.equal(mayKeep(raw, undefined), false);
  });
});

describe('ports that a sliver lost', () => {
  it('are those that it has not any more, whatever the reason', () => {
    assert.deepEqual(planLost(sliver, sliver), []);
    assert.deepEqual(planLost(sliver, makeSliver('a', { ports: [{ protocol: 'TCP', port: 4001 }] })), [
      { protocol: 'tcp', port: 5001 },
      { protocol: 'udp', port: 53 },
    ]);
    assert.equal(planLost(sliver, { ...sliver, standing: 'penalised' }).length, 3);
    assert.equal(planLost(sliver, undefined).length, 3);
    assert.equal(planLost({ ...sliver, standing: 'penalised' }, undefined).length, 0);
  });
});
