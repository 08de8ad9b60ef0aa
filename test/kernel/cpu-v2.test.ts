import assert from 'node:assert/strict';
import { hasUml, runInUml } from './uml.ts';

describe('the CPU enforcer on cgroup v2', () => {
  it('keeps every promise that it keeps on v1', async function () {
    if (!hasUml()) this.skip();
    this.timeout(120_000);
    const mocha = new URL('../../node_modules/mocha/bin/mocha.js', import.meta.url).pathname;
    const spec = new URL('cpu.test.ts', import.meta.url).pathname;
    // Alone: no configuration that names other specs.
    const argv = [process.execPath, mocha, '--no-config', '--exit', '--reporter', 'tap', spec];
    const { status, lines } = await runInUml(argv, { timeoutMs: 100_000 });
    const said = lines.filter((line) => /^\s*(not )?ok|^# (pass|fail)|Error/.test(line)).join('\n');
    assert.equal(status, 0, said);
    assert.match(said, /^# pass [1-9]/m);
  });
});
