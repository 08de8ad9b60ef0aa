import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hasUml, runInUml } from './uml.ts';

describe('the programs in an older kernel', () => {
  it('are taken by Linux 6.1 with cgroup v2 alone, and attached', async function () {
    if (!hasUml()) this.skip();
    this.timeout(120_000);
    execFileSync('make', ['-s', 'bpf'], { cwd: fileURLToPath(new URL('../..', import.meta.url)) });
    const program = new URL('bpf-older-process.ts', import.meta.url).pathname;
    const { status, lines } = await runInUml([process.execPath, program], { timeoutMs: 100_000 });
    const said = lines.join('\n');
    assert.equal(status, 0, said);
    assert.match(said, /^Linux 6\.1\..*: 12 attached, flows counted$/m);
  });
});
