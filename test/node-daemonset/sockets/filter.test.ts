import assert from 'node:assert/strict';
import { receiveFilter, SNAP, snifferFilter } from '../../../node-daemonset/sockets/filter.ts';
import { runFilter } from './classicbpf.ts';

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;

function ipv4(protocol: number, data: Buffer, { options = 0, fragment = 0 } = {}): Buffer {
  const header = Buffer.alloc(20 + options);
  header[0] = 0x40 | (header.length / 4);
  header.writeUInt16BE(fragment, 6);
  header[9] = protocol;
  return Buffer.concat([header, data]);
}

function ipv6(protocol: number, data: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header[6] = protocol;
  return Buffer.concat([header, data]);
}

function ports(source: number, destination: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  return header;
}

function icmp(type: number, identifier: number, quoted: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt16BE(identifier, 4);
  return Buffer.concat([header, quoted]);
}

describe('the filter of a raw socket', () => {
  for (const family of [4, 6] as const) {
    const wrap = (protocol: number, data: Buffer): Buffer => (family === 4 ? ipv4(protocol, data) : data);
    const quote = family === 4 ? ipv4 : ipv6;
    const [echo, reply, error] = family === 4 ? [8, 0, 3] : [128, 129, 1];
    const own = family === 4 ? ICMP : ICMPV6;

    it(`lets pass what is for its port: IPv${family}`, () => {
      const filter = receiveFilter({ open: 'raw', protocol: 'tcp', family, port: 5001, headerIncluded: false });
      assert.ok(runFilter(filter, wrap(TCP, ports(80, 5001))) > 0);
      assert.equal(runFilter(filter, wrap(TCP, ports(5001, 80))), 0);
      assert.equal(runFilter(filter, wrap(TCP, ports(80, 5002))), 0);
      assert.equal(runFilter(filter, wrap(TCP, Buffer.alloc(2))), 0);
      if (family === 4) assert.ok(runFilter(filter, ipv4(TCP, ports(80, 5001), { options: 8 })) > 0);
    });

    it(`lets pass replies to its identifier, and errors about its requests: IPv${family}`, () => {
      const filter = receiveFilter({ open: 'icmp', family, identifier: 77 });
      const sees = (data: Buffer): boolean => runFilter(filter, wrap(own, data)) > 0;
      assert.equal(sees(icmp(reply, 77)), true);
      assert.equal(sees(icmp(reply, 78)), false);
      assert.equal(sees(icmp(echo, 77)), false, 'a request');
      assert.equal(sees(icmp(error, 77)), false, 'an error that quotes nothing');
      assert.equal(sees(icmp(error, 0, quote(own, icmp(echo, 77)))), true);
      assert.equal(sees(icmp(error, 0, quote(own, icmp(echo, 78)))), false);
      assert.equal(sees(icmp(error, 0, quote(TCP, ports(77, 77)))), false);
    });

    it(`lets pass errors about packets from its port: IPv${family}`, () => {
      const filter = receiveFilter({ open: 'icmp', family, errorsOf: { protocol: 'udp', port: 5001 } });
      const sees = (data: Buffer): boolean => runFilter(filter, wrap(own, data)) > 0;
      assert.equal(sees(icmp(error, 0, quote(UDP, ports(5001, 9)))), true);
      assert.equal(sees(icmp(error, 0, quote(UDP, ports(9, 5001)))), false);
      assert.equal(sees(icmp(error, 0, quote(TCP, ports(5001, 9)))), false);
      assert.equal(sees(icmp(reply, 5001)), false);
    });

    it(`lets pass both where both were granted: IPv${family}`, () => {
      const errorsOf = { protocol: 'tcp', port: 5001 } as const;
      const filter = receiveFilter({ open: 'icmp', family, identifier: 77, errorsOf });
      const sees = (data: Buffer): boolean => runFilter(filter, wrap(own, data)) > 0;
      assert.equal(sees(icmp(reply, 77)), true);
      assert.equal(sees(icmp(error, 0, quote(own, icmp(echo, 77)))), true);
      assert.equal(sees(icmp(error, 0, quote(TCP, ports(5001, 80)))), true);
      assert.equal(sees(icmp(error, 0, quote(TCP, ports(5002, 80)))), false);
    });
  }
});

describe('the filter of a sniffer', () => {
  const filter = snifferFilter('udp', 53);
  const sent = { packetType: 4, protocol: 0x0800 };
  const received = { packetType: 0, protocol: 0x0800 };

  it('keeps the headers of what leaves from the port and comes for it', () => {
    assert.equal(runFilter(filter, ipv4(UDP, ports(53, 9)), sent), SNAP);
    assert.equal(runFilter(filter, ipv4(UDP, ports(9, 53), { options: 4 }), received), SNAP);
    assert.equal(runFilter(filter, ipv6(UDP, ports(53, 9)), { ...sent, protocol: 0x86dd }), SNAP);
    assert.equal(runFilter(filter, ipv6(UDP, ports(9, 53)), { ...received, protocol: 0x86dd }), SNAP);
  });

  it('keeps nothing else', () => {
    assert.equal(runFilter(filter, ipv4(UDP, ports(9, 53)), sent), 0);
    assert.equal(runFilter(filter, ipv4(UDP, ports(53, 9)), received), 0);
    assert.equal(runFilter(filter, ipv4(TCP, ports(53, 9)), sent), 0);
    assert.equal(runFilter(filter, ipv4(UDP, ports(53, 9), { fragment: 5 }), sent), 0);
    assert.equal(runFilter(filter, ipv4(UDP, ports(9, 53)), { packetType: 3, protocol: 0x0800 }), 0, "another host's");
    assert.equal(runFilter(filter, ipv4(UDP, ports(53, 9)), { packetType: 4, protocol: 0x0806 }), 0, 'no IP');
  });
});
