import assert from 'node:assert/strict';
import { assert as check, json, oneof, property, string } from 'fast-check';
import { parseRequest, Refusal, type SocketRequest } from '../../../node-daemonset/sockets/request.ts';

const VALID: SocketRequest[] = [
  { open: 'raw', protocol: 'tcp', family: 4, port: 5001, headerIncluded: true },
  { open: 'raw', protocol: 'udp', family: 6, port: 'any', headerIncluded: false },
  { open: 'icmp', family: 4, identifier: 77 },
  { open: 'icmp', family: 6, identifier: 'any', errorsOf: { protocol: 'tcp', port: 65535 } },
  { open: 'sniffer', protocol: 'udp', port: 1 },
  { open: 'audit' },
];

const INVALID: [string, RegExp][] = [
  ['', /not JSON/],
  ['null', /not an object/],
  ['[]', /not an object/],
  ['"raw"', /not an object/],
  ['{}', /open .* must be one of/],
  ['{"open":"toString"}', /open/],
  ['{"open":"__proto__"}', /open/],
  ['{"open":"raw","protocol":"sctp","family":4,"port":1}', /protocol/],
  ['{"open":"raw","protocol":"tcp","family":"4","port":1}', /family/],
  ['{"open":"raw","protocol":"tcp","family":4}', /port/],
  ['{"open":"raw","protocol":"tcp","family":4,"port":0}', /port/],
  ['{"open":"raw","protocol":"tcp","family":4,"port":65536}', /port/],
  ['{"open":"raw","protocol":"tcp","family":4,"port":1.5}', /port/],
  ['{"open":"raw","protocol":"tcp","family":4,"port":"1"}', /port/],
  ['{"open":"raw","protocol":"tcp","family":4,"port":1,"headerIncluded":1}', /headerIncluded/],
  ['{"open":"raw","protocol":"tcp","family":4,"port":1,"extra":1}', /not known/],
  ['{"open":"icmp","family":4}', /identifier, errorsOf/],
  ['{"open":"icmp","family":4,"errorsOf":{"protocol":"icmp","port":1}}', /protocol of errorsOf/],
  ['{"open":"icmp","family":4,"errorsOf":{"protocol":"tcp","port":1,"x":1}}', /errorsOf has fields/],
  ['{"open":"sniffer","protocol":"tcp","port":1,"family":4}', /not known/],
];

describe('a request to the sliver’s socket', () => {
  for (const request of VALID) {
    it(`may be ${JSON.stringify(request)}`, () => assert.deepEqual(parseRequest(JSON.stringify(request)), request));
  }

  for (const [line, message] of INVALID) {
    it(`may not be ${line || 'empty'}`, () => {
      assert.throws(
        () => parseRequest(line),
        (error) => error instanceof Refusal && error.code === 'EINVAL' && message.test(error.message),
      );
    });
  }

  it('is a valid one or a Refusal that repeats nothing of it, whatever comes', () => {
    check(
      property(oneof(string(), json(), string({ unit: 'binary' })), (line) => {
        try {
          parseRequest(line);
        } catch (error) {
          assert.ok(error instanceof Refusal && error.message.length < 200);
        }
      }),
    );
  });
});
