import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { Throttle } from '../../operator/throttle.ts';

describe('a throttle', () => {
  let runs: number;
  let throttle: Throttle;
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    runs = 0;
    throttle = new Throttle(() => runs++, 1_000);
  });
  afterEach(() => mock.timers.reset());

  it('runs at once, and then once a second however often it is asked', () => {
    for (let ms = 0; ms < 10_000; ms += 10) {
      throttle.ask();
      mock.timers.tick(10);
    }
    assert.equal(runs, 11, 'and once for those that asked since the last run');
  });

  it('forgets nobody who asked in the gap, and runs for nobody else', () => {
    throttle.ask();
    throttle.ask();
    assert.equal(runs, 1);
    mock.timers.tick(1_000);
    assert.equal(runs, 2);
    mock.timers.tick(10_000);
    assert.equal(runs, 2);
    throttle.ask();
    assert.equal(runs, 3);
  });

  it('runs no more once it is stopped', () => {
    throttle.ask();
    throttle.ask();
    throttle.stop();
    mock.timers.tick(10_000);
    assert.equal(runs, 1);
  });
});
