import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Listening } from '../../../../kube/listen.ts';
import { silentLog } from '../../../../kube/log.ts';
import { Refusal } from '../../../../operator/brokers/tickets/refusal.ts';
import { MAX_REQUEST, readAnswer } from '../../../../operator/brokers/tickets/request.ts';
import { serveTickets } from '../../../../operator/brokers/tickets/server.ts';
import { BROKER } from './tickets.ts';

describe('the server of tickets', () => {
  let server: Listening;
  let url: string;
  let redeem: (text: string) => Promise<never>;
  const ending = new AbortController();
  const settings = () => ({ readAt: '2026-11-01T00:00:00Z' });
  const serve = (connectionsEach: number) =>
    serveTickets({
      port: 0,
      host: '127.0.0.1',
      key: BROKER,
      broker: { redeem: (text) => redeem(text) },
      signal: ending.signal,
      log: silentLog(),
      settings,
      limits: { connectionsEach },
    });

  before(async () => {
    server = await serve(200);
    url = `http://127.0.0.1:${server.port}`;
  });
  after(() => server.close());

  const post = (body: string) => fetch(`${url}/redeem`, { method: 'POST', body });

  it('signs what it refuses, and counts it', async () => {
    redeem = () => Promise.reject(new Refusal('Expired', 'too late'));
    for (const request of ['{}', 'no request at all: é']) {
      const response = await post(request);
      assert.equal(response.status, 410);
      const answer = readAnswer(await response.text(), { broker: BROKER.publicKey, request });
      const hash = createHash('sha256').update(request).digest('base64url');
      assert.deepEqual(answer, { outcome: 'Refused', reason: 'Expired', message: 'too late', request: hash });
    }
    const state = (await (await fetch(url)).json()) as object;
    assert.deepEqual(state, { broker: BROKER.publicKey, Redeemed: 0, refused: { Expired: 2 }, settings: settings() });
  });

  it('knows two addresses, and one way to ask each', async () => {
    assert.equal((await fetch(`${url}/redeem`)).status, 405);
    assert.equal((await fetch(`${url}/`, { method: 'POST', body: '{}' })).status, 404);
    assert.equal((await fetch(`${url}/other`)).status, 404);
  });

  it('tells nobody what failed inside', async () => {
    redeem = () => Promise.reject(new Error('the token of the account'));
    const response = await post('{}');
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /token/);
  });

  it('reads no more than a request may have', async () => {
    let size = 0;
    redeem = (text) => {
      size = Math.max(size, text.length);
      return Promise.reject(new Refusal('TooLarge', 'too large'));
    };
    const socket = connect(server.port, '127.0.0.1');
    const closed = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (data: Buffer) => (text += data.toString()));
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });
    socket.write('POST /redeem HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    for (let n = 0; n < 64 && !socket.destroyed; n++) socket.write(chunk);
    assert.match(await closed, /^HTTP\/1\.1 413 /);
    assert.equal(size, MAX_REQUEST + 1);
  });

  it('has only so many connections for one visitor', async () => {
    const small = await serve(2);
    const open = async () => {
      const socket = connect(small.port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const [one, two] = [await open(), await open()];
    one.resume();
    const three = await open();
    // the oldest gives way
    await closed(one);
    three.destroy();
    await until(async () => (await fetch(`http://127.0.0.1:${small.port}/`).catch(() => undefined))?.status === 200);
    two.destroy();
    await small.close();
  });
});

/** Also by an error. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  return new Promise((resolve) => (socket.closed ? resolve() : void socket.once('close', () => resolve())));
}

async function until(question: () => Promise<boolean>): Promise<void> {
  while (!(await question())) await new Promise((resolve) => setTimeout(resolve, 10));
}
