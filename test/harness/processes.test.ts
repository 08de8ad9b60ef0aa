import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandError, run, succeeds } from '../cluster/command.ts';
import { endProcess, findProcess, identify, isAlive, startProcess } from '../cluster/processes.ts';

describe('harness: processes', () => {
  const dir = mkdtempSync(join(tmpdir(), 'harness-'));
  after(() => rmSync(dir, { recursive: true }));

  it('starts one once, finds it again, ends it', async () => {
    const log = join(dir, 'log');
    const first = startProcess(dir, 'sleeper', ['sleep', '60'], log);
    assert.deepEqual(startProcess(dir, 'sleeper', ['sleep', '60'], log), first);
    assert.deepEqual(findProcess(dir, 'sleeper'), first);
    await endProcess(dir, 'sleeper');
    assert.equal(isAlive(first), false);
    assert.equal(findProcess(dir, 'sleeper'), undefined);
  });

  it('takes no other process for the recorded one, though it has the pid', async () => {
    const self = identify(process.pid)!;
    writeFileSync(join(dir, 'pids', 'recycled'), JSON.stringify({ ...self, startTime: '1' }));
    assert.equal(findProcess(dir, 'recycled'), undefined);
    await endProcess(dir, 'recycled'); // would end this very test
  });

  it('says what a program said when it failed', async () => {
    await assert.rejects(run(['sh', '-c', 'echo reason >&2; exit 3']), (error: CommandError) => {
      assert.equal(error.code, 3);
      assert.match(error.message, /exit status 3\nreason/);
      return true;
    });
    await assert.rejects(run(['no-such-program']), /ENOENT/);
    assert.equal(await succeeds(['false']), false);
  });

  it('ends a program at its deadline', async () => {
    await assert.rejects(run(['sleep', '60'], { timeoutMs: 50 }), /deadline 50 ms/);
  });
});
