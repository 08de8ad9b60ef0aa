/** The command as a process of its own, beside a node manager that is no more than its checkpoint. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EMPTY_STATE, saveCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import { OrderFiles } from '../../../node-daemonset/owner/orders.ts';
import { granted, pod, right } from '../rights.ts';

const MAIN = fileURLToPath(new URL('../../../node-daemonset/owner/main.ts', import.meta.url));
const rcap = right('r');
const STATE = { ...EMPTY_STATE, ledger: granted(rcap), pods: [pod('p', rcap)] };

describe('slice-node', function () {
  // a process for each command, on a machine that may be busy
  this.timeout(120_000);
  let directory: string;
  let files: OrderFiles;
  let manager: NodeJS.Timeout | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'slice-node-'));
    files = new OrderFiles(join(directory, 'owner'));
    saveCheckpoint(join(directory, 'checkpoint.json'), STATE);
  });
  afterEach(() => {
    clearInterval(manager);
    rmSync(directory, { recursive: true });
  });

  /** As the node manager does in each pass. */
  const manage = (): void => {
    const take = (): void => saveCheckpoint(join(directory, 'checkpoint.json'), { ...STATE, orders: files.read() });
    manager = setInterval(take, 50);
  };
  const run = async (...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const env = { ...process.env, NODE_NAME: 'node1', NAMESPACE: 'slices', STATE_DIR: directory };
    const policy = { POLICY_FILE: join(directory, 'policy.yaml') };
    const options = { env: { ...env, ...policy }, timeout: 60_000 };
    return await promisify(execFile)(process.execPath, [MAIN, ...argv], options).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };

  it('names who else suspends what runs here, and why', async () => {
    const { uid } = rcap.metadata;
    const suspended = [{ uid: uid!, reason: 'unpaid', contact: 'broker@example.org' }];
    saveCheckpoint(join(directory, 'checkpoint.json'), { ...STATE, suspended });
    const { stdout } = await run('ls');
    const by = 'the holder of right team/right-r \\(broker@example.org\\): unpaid';
    assert.match(stdout, new RegExp(`\nSLIVER +SUSPENDED BY\nteam/right-r +${by}\n$`));
  });

  it('gives an order, waits until it is taken up, shows it, and takes it back', async () => {
    manage();
    const suspended = await run('suspend', 'team/measure', 'too', 'loud');
    assert.equal(suspended.stderr, '');
    assert.equal(suspended.stdout, 'team/measure is suspended: its pod here is held down, and frozen after 30 s\n');
    assert.match((await run('cap', '5Mbit')).stdout, /at most 5 Mbit\/s/);
    const { orders } = JSON.parse((await run('ls', '--json')).stdout) as { orders: ReturnType<OrderFiles['read']> };
    assert.deepEqual([orders.cap!.egressLimit, orders.suspended[0]!.reason], [5e6, 'too loud']);
    const { stdout } = await run('ls');
    assert.match(stdout, /^SLIVER +SLICE +STANDING +WHY/);
    assert.match(stdout, /team\/right-r +measure +penalised +Suspended/);
    assert.match(stdout, /CAP 5 Mbit\/s since .*\nSUSPENDED .*\nteam\/measure .* too loud\n$/s);
    assert.match((await run('resume', 'team/measure')).stdout, /not suspended by the owner any more/);
    assert.match((await run('resume', 'team/measure')).stdout, /was not suspended here/);
    assert.match((await run('cap', 'none')).stdout, /the policy holds/);
    assert.deepEqual(files.read(), { cap: undefined, suspended: [] });
  });

  it('says what is wrong with the policy, and what holds instead', async () => {
    writeFileSync(join(directory, 'policy.yaml'), 'share: 1\n');
    assert.match(
      (await run('ls')).stdout,
      /\nPOLICY there never was a valid one, nothing is granted: .*no field share\n$/,
    );
    saveCheckpoint(join(directory, 'checkpoint.json'), { ...STATE, policy: { shares: 1 } });
    assert.match((await run('ls')).stdout, /\nPOLICY the last valid one holds: .*no field share\n$/);
  });

  it('is found by another name in the PATH', async () => {
    mkdirSync(join(directory, 'bin'));
    symlinkSync(MAIN, join(directory, 'bin', 'slice-node'));
    const env = { ...process.env, NODE_NAME: 'node1', NAMESPACE: 'slices', STATE_DIR: directory };
    const name = join(directory, 'bin', 'slice-node');
    const { stdout } = await promisify(execFile)(process.execPath, [name, 'help'], { env });
    assert.match(stdout, /slice-node suspend NAMESPACE/);
  });

  it('says how it is used, and does nothing then', async () => {
    const { code, stderr } = await run('suspend', 'Nobody');
    assert.equal(code, 2);
    assert.match(stderr, /NAMESPACE\/SLICE[\s\S]*slice-node ls/);
    assert.deepEqual(files.read(), { cap: undefined, suspended: [] });
  });
});
