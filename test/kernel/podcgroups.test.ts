/** Whether a pod has started, by the names of what runs in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { podCgroups } from '../../node-daemonset/podcgroups.ts';
import { SliverPod } from './sliver-pod.ts';

describe('a pod in the kernel', () => {
  let pod: SliverPod;
  beforeEach(() => {
    pod = new SliverPod();
    pod.addContainer('app');
  });
  afterEach(() => pod.remove());
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it('has started when there is more than its sandbox, and none of it in the runtime’s hands', async () => {
    const hasStarted = (): boolean => podCgroups({ prefix: pod.prefix }).hasStarted(pod.uid);
    await pod.start('exec sleep 100', 'app');
    assert.equal(hasStarted(), false, 'the sandbox');
    pod.addContainer('second');
    const comm = `printf 'runc:[2:INIT]' > /proc/self/comm`;
    const child = await pod.start(`exec bash -c "${comm}; read < <(sleep 5); exec sleep 100"`, 'second');
    for (let i = 0; i < 1500 && !readFileSync(`/proc/${child.pid}/comm`, 'utf8').startsWith('runc'); i++)
      await pause(10);
    assert.equal(hasStarted(), false, 'the runtime');
    for (let i = 0; i < 600 && !hasStarted(); i++) await pause(50);
    assert.equal(hasStarted(), true);
  });
});
