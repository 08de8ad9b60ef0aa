/** Command sensors with the agent as it is compiled for slivers: what its programs do stays theirs, and is told. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SensorSpec } from '../../crds/types.ts';
import { eventually } from '../kube/eventually.ts';
import { createWorld, sensorOf, sliverOf, type World } from '../node-daemonset/sensors/world.ts';

const CLIENT = fileURLToPath(new URL('../../node-daemonset/sockets/client', import.meta.url));

/** Sensors by name: what each runs, and what becomes of it. */
const HOSTILE: Record<string, { argv: string[]; reason: string; more?: Partial<SensorSpec> }> = {
  hangs: { argv: ['sleep', '1000'], reason: 'TimedOut' },
  'hangs-without-output': { argv: ['sh', '-c', 'exec >&-; sleep 1000'], reason: 'Died', more: { timeoutSeconds: 10 } },
  floods: { argv: ['head', '-c', '1000000000', '/dev/zero'], reason: 'NotText' },
  'floods-with-text': { argv: ['yes'], reason: 'TooLarge' },
  binary: { argv: ['printf', '\\377\\376value'], reason: 'NotText' },
  dies: { argv: ['sh', '-c', 'echo value; kill -9 $$'], reason: 'Died' },
  fails: { argv: ['sh', '-c', 'echo value; exit 3'], reason: 'Died' },
  missing: { argv: ['/no/such/program'], reason: 'Died' },
  nonsense: { argv: ['echo', 'other'], reason: 'NotParsed' },
};

describe('command sensors', () => {
  let world: World;
  let agent: ChildProcess;
  const sliver = sliverOf('probe');
  const command = (name: string, argv: string[], more: Partial<SensorSpec> = {}) =>
    sensorOf(name, { slice: 'probe', command: { argv }, timeoutSeconds: 1, cacheSeconds: 1, ...more });
  const started = (): number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`SLICE_SENSORS=${world.socketOf(sliver)}`);
        } catch {
          return false;
        }
      })
      .map(Number);

  before(async () => {
    execFileSync('make', ['-C', CLIENT], { stdio: 'ignore' });
    world = await createWorld();
    const sensors = Object.entries(HOSTILE).map(([name, { argv, more }]) => command(name, argv, more));
    sensors.push(command('good', ['printf', 'value\n42\n']));
    sensors.push(
      command('stream', ['sh', '-c', 'echo value; i=0; while sleep 0.05; do echo $i; i=$((i+1)); done'], {
        type: 'Streaming',
      }),
    );
    await world.serve(sensors, [sliver]);
    const env = { PATH: process.env.PATH, SLICE_SENSORS: world.socketOf(sliver) };
    agent = spawn(join(CLIENT, 'build/bin/slice-sensors'), { env, stdio: 'ignore', detached: true });
  });
  after(async () => {
    if (agent.pid) process.kill(-agent.pid, 'SIGKILL');
    await world.close();
  });

  it('are run by the sliver’s own agent', async () => {
    const { status, text } = await world.get('/observatory.good');
    assert.deepEqual([status, text], [200, 'value\r\n42\r\n']);
  });

  for (const [name, { reason }] of Object.entries(HOSTILE)) {
    it(`that ${name} are contained, and it is told`, async () => {
      const { status } = await world.get(`/observatory.${name}`);
      assert.ok(status === 502 || status === 504, `${status}`);
      const told = world.catalogue.status().find((one) => one.name === `observatory/${name}`);
      assert.deepEqual([told?.failing, told?.errors?.map((one) => one.reason)], [true, [reason]], JSON.stringify(told));
      // nothing of it is left but the agent
      await eventually('only the agent to be left', () => started().length === 1);
    });
  }

  it('stream rows to all who listen, from one program, until nobody does', async () => {
    const listening = await Promise.all(
      [0, 1].map(async () => {
        const leaving = new AbortController();
        const url = `http://127.0.0.1:${world.server.port}/observatory.stream`;
        const response = await fetch(url, { signal: leaving.signal });
        let text = '';
        const read = (async () => {
          for await (const chunk of response.body!) text += Buffer.from(chunk as Uint8Array).toString();
        })().catch(() => undefined);
        return { leave: () => leaving.abort(), text: () => text, read };
      }),
    );
    await eventually('both to get rows', () => listening.every(({ text }) => /^value\r\n(?:\d+\r\n){3,}/.test(text())));
    assert.equal(started().filter((pid) => cmdline(pid).startsWith('sh\0')).length, 1);
    for (const { leave } of listening) leave();
    await eventually('only the agent to be left', () => started().length === 1);
  });

  it('leave nothing behind that has left their process group', async () => {
    const escape = 'setsid sh -c "sleep 300 & setsid sleep 300" >/dev/null 2>&1 & sleep 0.1; echo value; echo 7';
    await world.serve([command('escapes', ['sh', '-c', escape])], [sliver]);
    await eventually('the reading', async () => (await world.get('/observatory.escapes')).text === 'value\r\n7\r\n');
    // the agent alone
    await eventually('all of it to end', () => started().length === 1);
  });

  it('are read while as many streams are followed as a namespace may have Sensors', async () => {
    const streams = Array.from({ length: 31 }, (_, i) =>
      command(`s${i}`, ['sh', '-c', 'echo value; while sleep 1; do echo 1; done'], { type: 'Streaming' }),
    );
    await world.serve([...streams, command('one', ['printf', 'value\n7\n'])], [sliver]);
    const following = streams.map(({ metadata }) =>
      request({ port: world.server.port, host: '127.0.0.1', path: `/observatory.${metadata.name}`, agent: false })
        .on('error', () => undefined)
        .on('response', (response) => response.resume())
        .end(),
    );
    // each has its agent's process, its shell and what that sleeps by
    await eventually('all to run', () => started().length > 2 * streams.length);
    assert.equal((await world.get('/observatory.one')).text, 'value\r\n7\r\n');
    for (const one of following) one.destroy();
    await eventually('all of it to end', () => started().length === 1);
  }).timeout(60_000);
});

function cmdline(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
