/** HTTP sensors ask the sliver's own server and nobody else, and bear whatever it answers. */
import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createSocketServer, type AddressInfo } from 'node:net';
import type { SensorSpec } from '../../../crds/types.ts';
import { CustomSource } from '../../../node-daemonset/sensors/custom.ts';
import { targetOf } from '../../../node-daemonset/sensors/http.ts';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { eventually } from '../../kube/eventually.ts';
import { createWorld, sensorOf, sliverOf, type World } from './world.ts';

const ANSWERS: Record<string, (response: ServerResponse) => void> = {
  '/good': (response) => void response.end('other,value\n1,2\n3,4\n'),
  '/redirect': (response) => void response.writeHead(302, { location: 'http://127.0.0.1:10250/' }).end(),
  '/fails': (response) => void response.writeHead(500).end(),
  '/hangs': () => undefined,
  '/floods': (response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  },
  '/binary': (response) => void response.end(Buffer.from([0xff, 0xfe, 0, 1])),
  '/breaks': (response) => {
    response.writeHead(200, { 'content-length': 100 }).write('value\n');
    setTimeout(() => response.destroy(), 20);
  },
  '/stream': (response) => {
    response.write('value\n');
    let i = 0;
    const timer = setInterval(() => response.write(`${i++}\n`), 10);
    response.once('close', () => clearInterval(timer));
  },
};

describe('HTTP sensors', () => {
  let world: World;
  let server: Server;
  let port: number;
  let sliver: Sliver;
  let open = 0;

  before(async () => {
    server = createServer((request, response) => {
      open++;
      response.once('close', () => open--);
      ANSWERS[request.url!]!(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
    sliver = sliverOf('probe', { ports: [{ protocol: 'TCP', port }] });
    world = await createWorld();
    const spec = (path: string): Partial<SensorSpec> => {
      return {
        slice: 'probe',
        http: { port, path },
        timeoutSeconds: 1,
        ...(path === '/stream' && { type: 'Streaming', history: 3 }),
      };
    };
    await world.serve(
      Object.keys(ANSWERS).map((path) => sensorOf(path.slice(1), spec(path))),
      [sliver],
    );
  });
  after(async () => {
    await world.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('give the columns that they name', async () => {
    assert.equal((await world.get('/observatory.good')).text, 'value\r\n2\r\n4\r\n');
  });

  for (const [name, reason] of Object.entries({
    redirect: 'Died',
    fails: 'Died',
    hangs: 'TimedOut',
    floods: 'TooLarge',
    binary: 'NotText',
    breaks: 'Died',
  })) {
    it(`say why there is no reading of one that ${name}`, async () => {
      const { status, text } = await world.get(`/observatory.${name}`);
      assert.ok(status === 502 || status === 504, text);
      const told = world.catalogue.status().find((one) => one.name === `observatory/${name}`);
      assert.deepEqual(
        told?.errors?.map((one) => one.reason),
        [reason],
        JSON.stringify(told),
      );
      await eventually('its connection to be gone', () => open === 0);
    });
  }

  it('ask no port that is not the slice’s, and no sliver without a right', () => {
    assert.throws(() => targetOf(sliver, port + 1), { word: 'PortNotOwned' });
    assert.throws(() => targetOf({ ...sliver, standing: 'penalised' }, port), { word: 'PortNotOwned' });
    assert.throws(() => targetOf({ ...sliver, network: 'Pod' }, port), { word: 'Unreachable' });
    const ports = [{ protocol: 'UDP' as const, port }];
    assert.throws(() => targetOf({ ...sliver, amounts: { ...sliver.amounts, ports } }, port), { word: 'PortNotOwned' });
    const own = { ...sliver, network: 'Pod' as const, addresses: ['fd00::7', '10.1.2.3'] };
    assert.deepEqual(targetOf(own, port), { host: '10.1.2.3', port });
  });

  it('stream from one connection to all, and keep the last rows', async () => {
    const url = `http://127.0.0.1:${world.server.port}/observatory.stream`;
    const [one, two] = await Promise.all([fetch(url), fetch(url)]);
    const readers = [one.body!.getReader(), two.body!.getReader()];
    for (const reader of readers) {
      let text = '';
      while (!/^value\r\n(?:\d+\r\n){5}/.test(text)) text += new TextDecoder().decode((await reader.read()).value);
    }
    assert.equal(open, 1);
    const history = await world.get('/observatory.stream/history');
    assert.match(history.text, /^time,value\r\n(?:\d{4}-\S+Z,\d+\r\n){3}$/);
    for (const reader of readers) await reader.cancel();
    await eventually('the stream to end with its last reader', () => open === 0);
  });

  it('end and begin anew where a server answers with another protocol', async () => {
    let isOdd = true;
    const odd = createSocketServer((socket) => {
      socket
        .on('error', () => undefined)
        .once('data', () => {
          const how = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
          socket.write(isOdd ? how : 'HTTP/1.1 200 OK\r\n\r\nvalue\n1\n');
        });
    });
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
    const at = (odd.address() as AddressInfo).port;
    const there = sliverOf('probe', { ports: [{ protocol: 'TCP', port: at }] });
    const sensor = sensorOf('odd', { slice: 'probe', type: 'Streaming', http: { port: at } });
    const parsing = { take: () => true };
    const run = async () => undefined;
    const source = new CustomSource(sensor, { agents: { run }, sliver: () => there, now: Date.now, parsing });
    const follow = (row: () => void): Promise<Error | undefined> =>
      new Promise((resolve) => void source.stream!.follow({ row, end: resolve }));
    assert.match((await follow(() => undefined))!.message, /answered 101/);
    isOdd = false;
    let rows = 0;
    void follow(() => rows++);
    await eventually('a row', () => rows === 1);
    source.close();
    odd.close();
  });
});
