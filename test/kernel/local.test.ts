/** Whose socket a local API is, by real processes in real pods' cgroups. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createWorld, type World } from '../node-daemonset/local/world.ts';
import { TestKubepods } from './kubepods.ts';

const UIDS: Record<string, string> = {
  broker: '0b5c6a1e-0000-4000-8000-0000000000b1',
  plain: '0b5c6a1e-0000-4000-8000-0000000000b2',
};
const ASK = `const [socketPath, method, path, body] = process.argv.slice(1);
require("http").request({ socketPath, method, path }, (response) => {
  process.stdout.write(response.statusCode + " ");
  response.pipe(process.stdout);
}).end(body);`;

describe('the local API of real pods', () => {
  let pods: TestKubepods;
  let world: World;
  before(() => {
    pods = new TestKubepods('slice-test-local', 2000);
    for (const uid of Object.values(UIDS)) pods.addPod(uid, 'burstable', 10);
    world = createWorld((slice) => UIDS[slice]!);
  });
  after(async () => {
    await world.close();
    pods.remove();
  });

  /** What a process hears that is in one pod, or in none, at the socket of another. */
  async function ask(from: string | undefined, at: string, method: string, path: string, body = ''): Promise<string> {
    const join = from === undefined ? 'true' : pods.joinCommand(UIDS[from]!);
    const argv = ['-c', `${join} && exec "$@"`, 'sh', process.execPath, '-e', ASK, '--', world.socketOf(at)];
    const { stdout } = await promisify(execFile)('sh', [...argv, method, path, body]);
    return stdout;
  }

  it('answers the pod whose socket it is', async () => {
    assert.match(
      await ask('broker', 'broker', 'POST', '/v1/capabilities', '{"name":"lab"}'),
      /^201 .*"state":"Granted"/,
    );
    assert.match(await ask('broker', 'broker', 'DELETE', '/v1/capabilities/lab'), /^204 $/);
    assert.match(await ask('plain', 'plain', 'GET', '/v1/capabilities'), /^403 .*"code":"NotPrivileged"/);
  });

  it('refuses another pod, and processes of no pod, root as they are', async () => {
    for (const from of ['plain', undefined]) {
      assert.match(await ask(from, 'broker', 'GET', '/v1/capabilities'), /^403 .*"code":"NotYours"/);
    }
    assert.equal(await world.counted('Connect', 'NotYours'), 2);
  });
});
