import assert from 'node:assert/strict';
import { getCondition } from '../../../crds/conditions.ts';
import type { Watchdog } from '../../../crds/types.ts';
import type { Memory } from '../../../operator/watchdog/plan.ts';
import { isNews, planWatchdogStatus, restore, type WatchView } from '../../../operator/watchdog/status.ts';
import { NO_TOTALS } from '../../../operator/watchdog/totals.ts';

const NOW = Date.parse('2030-01-01T00:00:30Z');

const dog: Watchdog = {
  apiVersion: 'v',
  kind: 'Watchdog',
  metadata: { name: 'dog', generation: 3 },
  spec: { read: { sensor: 'bandwidth', column: 'bytes' }, above: 100, action: 'Suspend', periodSeconds: 60 },
};
const memory: Memory = new Map([
  ['site/a', { value: 5, aboveSince: 1 }],
  ['site/b', { value: 500, state: 'Restrained' }],
  ['lab', { value: 7, state: 'Pardoned' }],
]);
const totals = { ...NO_TOTALS, period: Date.parse('2030-01-01T00:00:00Z') / 60_000 };

function status(more: Partial<WatchView> = {}, watchdog = dog, now = NOW) {
  const view = { memory, totals, held: 1, answered: 2, silent: [], tooMany: [], problem: undefined, time: now };
  return planWatchdogStatus(watchdog, { ...view, ...more }, now);
}
const reason = (more: Partial<WatchView>) => {
  const { status: is, reason, message } = getCondition(status(more).conditions, 'Ready')!;
  return [is, reason, message];
};

describe('the status of a watchdog', () => {
  it('shows whom it has to do with first, then the largest', () => {
    const many = new Map([...memory, ...Array.from({ length: 50 }, (_, i) => [`x/s${i}`, { value: i + 1 }] as const)]);
    const { largest } = status({ memory: many });
    assert.deepEqual(
      largest!.slice(0, 3).map(({ namespace, slice, state }) => [namespace, slice, state]),
      [
        ['site', 'b', 'Restrained'],
        ['lab', undefined, 'Pardoned'],
        ['x', 's49', undefined],
      ],
    );
    assert.equal(largest!.length, 22);
  });

  it('says what keeps it from its work first', () => {
    assert.deepEqual(reason({}), ['True', 'Watching', 'restrains 1; 2 nodes answered']);
    assert.deepEqual(reason({ silent: ['n2: is silent'] }).slice(0, 2), ['True', 'Partial']);
    assert.deepEqual(reason({ tooMany: ['site/z'], silent: ['n2: is silent'] }).slice(0, 2), ['False', 'TooMany']);
    const problem = { reason: 'NoReadings', message: 'nothing' };
    assert.deepEqual(reason({ problem, tooMany: ['site/z'] }), ['False', 'NoReadings', 'nothing']);
  });

  it('is written when something happened, and its figures once in a minute', () => {
    const first = status();
    assert.ok(isNews(undefined, first));
    assert.ok(!isNews(first, first));
    const figures = new Map([...memory, ['site/a', { value: 6 }] as const]);
    const known = { ...dog, status: first };
    assert.ok(!isNews(first, status({ memory: figures }, known, NOW + 59_000)));
    assert.ok(isNews(first, status({ memory: figures }, known, NOW + 60_000)));
    assert.ok(isNews(first, status({ memory: figures }, known, NOW - 1e12)), 'a clock was ahead');
    const pardoned = new Map([...memory, ['site/b', { value: 500, state: 'Pardoned' as const }] as const]);
    assert.ok(isNews(first, status({ memory: pardoned }, known, NOW + 1_000)));
  });

  it('is what it goes on from after a restart; under another spec it counts anew', () => {
    const { memory: back, totals: sums } = restore({ ...dog, status: status() });
    assert.deepEqual(back.get('site/b'), { value: 500, state: 'Restrained' });
    assert.deepEqual(back.get('lab'), { value: 7, state: 'Pardoned' });
    assert.deepEqual([sums.period, sums.sums.get('site/a')], [totals.period, 5]);
    const of = (spec: Partial<Watchdog['spec']>) =>
      restore({ ...dog, spec: { ...dog.spec, ...spec }, status: status() });
    assert.equal(of({ above: 1, action: 'Terminate' }).totals.sums.get('site/a'), 5);
    for (const spec of [{ periodSeconds: 61 }, { of: 'Namespace' }, { namespaces: ['site'] }] as const) {
      const edited = of(spec as Partial<Watchdog['spec']>);
      assert.equal(edited.totals, NO_TOTALS);
      assert.equal(edited.memory.get('site/b')!.state, 'Restrained');
    }
  });
});
