/** The tools that slivers find, where what they wait for goes away or was never there. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLIENT = fileURLToPath(new URL('../../node-daemonset/sockets/client', import.meta.url));
const ANSWER = '{"ok":{"open":"sniffer","protocol":"tcp","port":5001}}\n';

describe('the tools of slivers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tools-'));
  const socket = join(directory, 'sockets');
  let server: Server | undefined;

  before(() => void execFileSync('make', ['-C', CLIENT], { stdio: 'ignore' }));
  afterEach(() => server?.close());
  after(() => rmSync(directory, { recursive: true }));

  const start = (name: string, ...argv: string[]): ChildProcess => {
    const env = { SLICE_SOCKET: socket, SLICE_SENSORS: join(directory, 'nothing') };
    return spawn(join(CLIENT, 'build/bin', name), argv, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  };
  const ended = async (child: ChildProcess): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    child.stdout!.on('data', (chunk) => (out += chunk));
    child.stderr!.on('data', (chunk) => (err += chunk));
    const [code] = (await once(child, 'close')) as [number];
    return { code, out, err };
  };

  for (const argv of [['5001'], ['--text', '5001'], ['--audit']]) {
    it(`slice-dump ${argv.join(' ')} says that it was broken off`, async () => {
      server = createServer((peer) => peer.once('data', () => peer.end(ANSWER))).listen(socket);
      await once(server, 'listening');
      const { code, err } = await ended(start('slice-dump', ...argv));
      assert.equal(code, 1);
      assert.match(err, /^slice-dump: broken off: /);
    });
  }

  it('slice-dump says nothing where whoever read it has gone', async () => {
    server = createServer((peer) => peer.once('data', () => peer.write(ANSWER)).on('error', () => {})).listen(socket);
    await once(server, 'listening');
    const dump = start('slice-dump', '5001');
    dump.stdout!.destroy();
    let err = '';
    dump.stderr!.on('data', (chunk) => (err += chunk));
    assert.deepEqual(await once(dump, 'exit'), [0, null]);
    assert.equal(err, '');
  });

  it('say how they are called', async () => {
    for (const name of ['slice-dump', 'slice-sensors']) {
      const { code, out } = await ended(start(name, '--help'));
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^usage: ${name}`));
      assert.deepEqual((({ code: is, out: text }) => [is, text])(await ended(start(name, '--nonsense'))), [2, '']);
    }
  });

  it('slice-sensors says once that it can not reach its node, and goes on', async () => {
    const agent = start('slice-sensors');
    const [line] = (await once(agent.stderr!, 'data')) as [Buffer];
    assert.match(line.toString(), /^slice-sensors: \S+nothing: No such file or directory; trying again\n$/);
    assert.equal(agent.exitCode, null);
    agent.kill('SIGKILL');
  });
});
