import assert from 'node:assert/strict';
import { isEnding, NOT_ENDING } from '../../../node-daemonset/freeze/plan.ts';
import { pendingEnd } from '../../../node-daemonset/processes.ts';

describe('the plan of freezing', () => {
  /** Seconds that a pod goes on in an hour, looked at each second, whatever it was at the last look. */
  const goesOn = (signal: (second: number) => 'term' | 'kill' | undefined): number => {
    let state = NOT_ENDING;
    let seconds = 0;
    let frozen = false;
    for (let second = 0; second < 3600; second++) {
      const next = isEnding(state, signal(second), frozen, second * 1000);
      state = next.state;
      frozen = !next.ending;
      if (next.ending) seconds++;
    }
    return seconds;
  };

  it('gives a pod time to end once, however often signals come', () => {
    assert.equal(
      goesOn(() => undefined),
      0,
    );
    assert.equal(
      goesOn((second) => (second === 7 ? 'term' : undefined)),
      120,
    );
    assert.equal(
      goesOn(() => 'term'),
      120,
    );
  });

  it('thaws for SIGKILL after that as well, from one look to the next and ever less often', () => {
    assert.equal(
      goesOn((second) => (second === 7 ? 'term' : second === 2000 ? 'kill' : undefined)),
      121,
    );
    const seconds = goesOn(() => 'kill');
    assert.ok(seconds > 150 && seconds < 200, `${seconds}`);
  });

  it('tells the signals that a process would take', () => {
    const status = (pending: string, blocked: string): string =>
      `SigPnd:\t0000000000000000\nShdPnd:\t${pending}\nSigBlk:\t${blocked}\n`;
    assert.equal(pendingEnd(status('0000000000004000', '0000000000000000')), 'term');
    assert.equal(pendingEnd(status('0000000000004100', '0000000000004000')), 'kill');
    assert.equal(pendingEnd(status('0000000000004000', '0000000000004000')), undefined);
    assert.equal(pendingEnd(''), undefined);
  });
});
