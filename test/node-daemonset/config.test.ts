import assert from 'node:assert/strict';
import { pathsOf, readConfig } from '../../node-daemonset/config.ts';
import { ExecError, run } from '../../node-daemonset/exec.ts';

describe('configuration', () => {
  it('needs the node and the namespace, and has defaults for the rest', () => {
    const config = readConfig({ NODE_NAME: 'node1', NAMESPACE: 'slice-system' });
    assert.equal(pathsOf(config).checkpoint, '/var/lib/slice-operator/checkpoint.json');
    assert.equal(config.healthPort, 33_081);
  });

  it('names everything that is wrong at once', () => {
    const env = {
      NODE_NAME: 'Node 1',
      STATE_DIR: 'state/..',
      HEALTH_PORT: 'x',
      LOG_LEVEL: 'loud',
      CGROUP_PREFIX: '../x',
    };
    assert.throws(
      () => readConfig(env),
      (error: Error) =>
        ['NODE_NAME', 'NAMESPACE', 'STATE_DIR', 'HEALTH_PORT', 'LOG_LEVEL', 'CGROUP_PREFIX'].every((name) =>
          error.message.includes(name),
        ),
    );
  });
});

describe('running a program', () => {
  const failure = async (...args: Parameters<typeof run>): Promise<ExecError> => {
    try {
      await run(...args);
    } catch (error) {
      assert.ok(error instanceof ExecError);
      return error;
    }
    throw new Error('it did not fail');
  };

  it('gives it stdin and argv as they are, and no environment of ours', async () => {
    assert.equal((await run(['cat'], { input: '$(id)\n' })).stdout, '$(id)\n');
    assert.equal((await run(['printf', '%s', '$HOME;`id`'])).stdout, '$HOME;`id`');
    assert.deepEqual(
      (await run(['env'])).stdout
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0])
        .sort(),
      ['LC_ALL', 'PATH'],
    );
  });

  it('tells failures apart', async () => {
    const failed = await failure(['ls', '/not/there']);
    assert.equal(failed.code, 2);
    assert.match(failed.message, /"ls \/not\/there" exited with 2: .*No such file/);
    assert.match((await failure(['no-such-program'])).message, /could not be started/);
    assert.match((await failure(['sleep', '100'], { timeoutMs: 20 })).message, /longer than 20 ms/);
    assert.match((await failure(['yes'], { maxOutput: 1000 })).message, /more than 1000 bytes/);
    assert.match((await failure(['sleep', '100'], { signal: AbortSignal.timeout(20) })).message, /was cancelled/);
    assert.match((await failure(['true'], { signal: AbortSignal.abort() })).message, /before it started/);
  });
});
