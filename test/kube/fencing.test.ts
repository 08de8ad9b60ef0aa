import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Credentials } from '../../kube/credentials.ts';
import { FencedError } from '../../kube/errors.ts';
import { Transport, type TransportOptions } from '../../kube/transport.ts';

describe('fence', () => {
  let server: Server;
  let transport: Transport;
  /** Requests that reached the server, as `METHOD path`; their answers wait for the test. */
  let arrived: { what: string; response: ServerResponse }[];
  let onArrival: () => void;

  function connect(options: TransportOptions): Transport {
    const { port } = server.address() as AddressInfo;
    const credentials: Credentials = {
      server: `http://127.0.0.1:${port}`,
      tls: {},
      authorization: () => Promise.resolve(undefined),
      refresh: () => undefined,
    };
    transport = new Transport(credentials, options);
    return transport;
  }

  async function arrivals(count: number): Promise<void> {
    while (arrived.length < count) await new Promise<void>((resolve) => (onArrival = resolve));
  }

  const answer = (index: number) => arrived[index]!.response.end('{}');
  const whats = () => arrived.map(({ what }) => what);

  beforeEach(async () => {
    arrived = [];
    onArrival = () => undefined;
    server = createServer((request, response) => {
      request.resume();
      arrived.push({ what: `${request.method} ${request.url}`, response });
      onArrival();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    await transport.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a write that waited for a connection until the deadline had passed', async () => {
    let leads = true;
    const fence = () => {
      if (!leads) throw new FencedError('the lease has passed');
    };
    const client = connect({ fence, connections: 1 });
    const first = client.request('POST', '/first', { body: {} });
    await arrivals(1);
    // these have passed the fence once, and wait for the only connection
    const waiting = ['PATCH', 'PUT', 'DELETE', 'POST'].map((method) => client.request(method, '/late', { body: {} }));
    const read = client.request('GET', '/read');
    const settled = Promise.allSettled(waiting);
    await new Promise((resolve) => setImmediate(resolve));
    leads = false;
    answer(0);
    await first;
    for (const result of await settled) {
      assert.equal(result.status, 'rejected');
      assert.ok(result.reason instanceof FencedError, String(result.reason));
    }
    await arrivals(2);
    answer(1);
    await read;
    assert.deepEqual(whats(), ['POST /first', 'GET /read']);
  });

  it('refuses before anything is sent, and lets reads through', async () => {
    const client = connect({
      fence: () => {
        throw new FencedError('never led');
      },
    });
    await assert.rejects(client.request('POST', '/write', { body: {} }), FencedError);
    const read = client.request('GET', '/read');
    await arrivals(1);
    answer(0);
    await read;
    assert.deepEqual(whats(), ['GET /read']);
  });

  it('is asked next to the socket, inside whatever faults a test wraps around it', async () => {
    const order: string[] = [];
    const client = connect({
      fence: () => void order.push('fence'),
      wrapDispatcher: (inner) =>
        inner.compose((dispatch) => (options, handler) => {
          order.push('fault');
          return dispatch(options, handler);
        }),
    });
    const write = client.request('POST', '/write', { body: {} });
    await arrivals(1);
    answer(0);
    await write;
    assert.deepEqual(order, ['fence', 'fault', 'fence']);
  });

  it('ends writes under way when leadership is lost, and no reads', async () => {
    const lost = new AbortController();
    const client = connect({ lost: lost.signal });
    const write = client.request('POST', '/write', { body: {} });
    const read = client.request('GET', '/read');
    await arrivals(2);
    lost.abort(new FencedError('the lease has passed'));
    await assert.rejects(write, FencedError);
    answer(whats().indexOf('GET /read'));
    await read;
  });
});
