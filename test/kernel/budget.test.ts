/** A budget of bytes against real counters: what was sent, what is left, and the class that is slowed for it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { policyOf } from '../../node-daemonset/admission/policy.ts';
import { Budgets } from '../../node-daemonset/budget/budgets.ts';
import { makeDesired, makeSliver } from '../node-daemonset/desired.ts';
import { RemoteEnforcer } from './enforcer.ts';
import { Namespaces } from './netns.ts';

/** 100 packets of 1042 bytes at layer 2, at most some of them dropped. */
const PACKETS = 100;
const FRAME = 1042;
const flood = `const s = require('dgram').createSocket('udp4'); let left = ${PACKETS};
const next = () => left-- > 0 ? s.send(Buffer.alloc(1000), 9, process.argv[1], next) : s.close(); next()`;

describe('a budget of bytes on the real kernel', () => {
  let net: Namespaces;
  let enforcer: RemoteEnforcer;
  const directory = mkdtempSync(join(tmpdir(), 'budget-'));
  const line = { interface: 'upl0', rate: 120e6 };
  const exempt = { destinations: ['192.0.2.0/24'], limit: undefined };
  const sliver = makeSliver(
    'a',
    { egressGuarantee: 64e3, egressLimit: 50e6 },
    { classId: 0x101, addresses: ['10.88.1.2'], interfaces: ['h0'] },
  );
  let counters = new Map<number, { bytes: number }>();

  const open = (): Budgets =>
    new Budgets({
      path: join(directory, 'budget.json'),
      bootId: 'this one',
      counters: () => new Map([['upl0', counters]]),
      now: () => Date.UTC(2026, 10, 23, 12),
    });
  /** A pass: what the kernel counted, what budgets make of it, and the kernel as it should be then. */
  const pass = async (budgets: Budgets, bytesPerDay: number): Promise<string> => {
    counters = new Map(Object.entries(await enforcer.counters()).map(([minor, one]) => [Number(minor), one]));
    const spec = { bytesPerDay, exempt: { destinations: exempt.destinations } };
    const { slivers, verdicts } = budgets.apply([sliver], policyOf(spec));
    assert.deepEqual((await enforcer.enforce(makeDesired(slivers, { lines: [line], exempt }))).problems, []);
    return verdicts[0]?.reason ?? '';
  };
  const ceil = (minor: string): string =>
    new RegExp(`htb 1:${minor} .* ceil (\\S+)`).exec(net.run('node', ['tc', 'class', 'show', 'dev', 'upl0']))![1]!;
  const sendTo = async (to: string, minor: number): Promise<void> => {
    const desired = makeDesired([sliver], { lines: [line], exempt });
    const packets = async (): Promise<number> => {
      await enforcer.enforce(desired);
      return (await enforcer.counters())[String(minor)]!.packets;
    };
    const before = await packets();
    net.run('pod', [process.execPath, '-e', flood, to]);
    // neighbours are looked up before the first of them leaves, and some of them are dropped meanwhile
    for (let left = 600; (await packets()) < before + PACKETS / 2; left--) {
      if (left === 0) assert.fail(`no packets in class ${minor}`);
      await sleep(50);
    }
  };

  before(async () => {
    net = new Namespaces('sob');
    for (const name of ['node', 'world', 'pod']) net.add(name);
    net.link(['node', 'upl0', '10.88.0.1/24'], ['world', 'w0', '10.88.0.2/24']);
    net.link(['node', 'h0', '10.88.1.1/24'], ['pod', 'eth0', '10.88.1.2/24']);
    net.ip('pod', 'route', 'add', 'default', 'via', '10.88.1.1');
    net.ip('world', 'addr', 'add', '192.0.2.1/24', 'dev', 'w0');
    net.ip('node', 'route', 'add', '192.0.2.0/24', 'via', '10.88.0.2');
    net.run('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    enforcer = new RemoteEnforcer(net, 'node');
    await enforcer.enforce(makeDesired([sliver], { lines: [line], exempt }));
  });

  after(async () => {
    await net.remove();
    rmSync(directory, { recursive: true });
  });

  it('bites when it is spent, not for exempt destinations, and not less for a class or a process that began anew', async () => {
    const budgets = open();
    assert.equal(await pass(budgets, 1e9), 'WithinBudget');
    await sendTo('10.88.0.2', 0x101);
    await sendTo('192.0.2.1', 0x8101);
    const budget = (PACKETS / 2) * FRAME;
    assert.equal(await pass(budgets, budget), 'BudgetSpent');
    assert.deepEqual([ceil('101'), ceil('8101')], ['64Kbit', '50Mbit']);
    budgets.save(true);

    net.run('node', ['tc', 'class', 'del', 'dev', 'upl0', 'classid', '1:101']);
    await enforcer.enforce(makeDesired([sliver], { lines: [line], exempt }));
    assert.equal(await pass(open(), budget), 'BudgetSpent', 'its counters are 0 and it has spent what it spent');
    assert.equal(ceil('101'), '64Kbit');
    assert.equal(await pass(open(), budget * 1000), 'WithinBudget');
    assert.equal(ceil('101'), '50Mbit');
  });
});
