import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import * as fc from 'fast-check';
import { contains, formatAddress, formatPrefix, isV4, parseAddress, parsePrefix } from '../../crds/ipaddress.ts';

const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => isIP(text) !== 0);

describe('IP addresses', () => {
  it('are what they were after having been written and read again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(16), (bytes, zeros) => {
        bytes.fill(0, 16 - zeros);
        assert.deepEqual(parseAddress(formatAddress(bytes)), bytes);
      }),
    );
  });

  it('are written as RFC 5952 has it', () => {
    for (const [given, written] of [
      ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['::', '::'],
      ['1::', '1::'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
      ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
      ['0:0:0:1:0:0:0:0', '0:0:0:1::'],
    ] as const) {
      assert.equal(formatAddress(parseAddress(given)!), written);
    }
  });

  it('are nothing else', () => {
    for (const text of [
      '',
      '1.2.3',
      '01.2.3.4',
      '1.2.3.4.5',
      'fe80::1%eth0',
      ':::',
      '1::2::3',
      '::1.2.3.400',
      '0x7f.1',
      'localhost',
    ])
      assert.equal(parseAddress(text), undefined, text);
    for (const text of [
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '10.0.0.0/08',
      '::/129',
      '/8',
      '10.0.0.0/8/8',
      '::/1e1',
    ])
      assert.equal(parsePrefix(text), undefined, text);
  });

  it('are in a prefix where Node says so too', () => {
    fc.assert(
      fc.property(address, address, fc.nat(128), (of, one, length) => {
        const v6 = of.includes(':');
        const bits = v6 ? length : length % 33;
        const prefix = parsePrefix(`${of}/${bits}`)!;
        assert.equal(formatPrefix(parsePrefix(formatPrefix(prefix))!), formatPrefix(prefix));
        assert.ok(contains(prefix, parseAddress(of)!));
        // an IPv4 address is ::ffff:a.b.c.d here, and something apart there
        if (isV4(parseAddress(one)!) === v6 || isV4(parseAddress(of)!) === v6) return;
        const list = new BlockList();
        list.addSubnet(of, bits, v6 ? 'ipv6' : 'ipv4');
        assert.equal(contains(prefix, parseAddress(one)!), list.check(one, v6 ? 'ipv6' : 'ipv4'));
      }),
    );
  });
});
