import assert from 'node:assert/strict';
import { ApiError } from '../../../kube/errors.ts';
import { silentLog } from '../../../kube/log.ts';
import { Reporter, type StatusReport, versioned } from '../../../node-daemonset/report/reporter.ts';

const of = (status: object): StatusReport => ({ apiVersion: 'v1', kind: 'K', metadata: { name: 'a' }, status });

describe('reporter', () => {
  let written: object[];
  let answers: (Error | undefined)[];
  let now: number;
  let reporter: Reporter;
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  beforeEach(() => {
    written = [];
    answers = [];
    now = 1_000_000;
    reporter = new Reporter({
      log: silentLog(),
      now: () => now,
      gapMs: 0,
      write: async ({ status }) => {
        written.push(status);
        const error = answers.shift();
        if (error) throw error;
      },
    });
  });
  afterEach(() => reporter.close());

  it('writes what differs, and nothing that is there', async () => {
    reporter.report('a', of({ x: 1, y: undefined }), { x: 1 });
    reporter.report('b', of({ x: 1 }), { x: 2 });
    reporter.report('c', of({ x: 1 }), undefined);
    await settled();
    assert.deepEqual(written, [{ x: 1 }, { x: 1 }]);
  });

  it('does not write again what the cache does not show yet, until that takes too long', async () => {
    reporter.report('a', of({ x: 2 }), { x: 1 });
    await settled();
    reporter.report('a', of({ x: 2 }), { x: 1 });
    await settled();
    assert.equal(written.length, 1);
    now += 10_000;
    reporter.report('a', of({ x: 2 }), { x: 1 });
    await settled();
    assert.equal(written.length, 2);
  });

  it('takes back what it wrote although the cache shows the older state', async () => {
    reporter.report('a', of({ x: 2 }), { x: 1 });
    await settled();
    reporter.report('a', of({ x: 1 }), { x: 1 });
    await settled();
    assert.deepEqual(written, [{ x: 2 }, { x: 1 }]);
  });

  it('gives up on an object that is gone, and tries again for a server that is', async () => {
    answers = [new ApiError('PATCH', 404, ''), new Error('no answer')];
    reporter.report('gone', of({ x: 1 }), undefined);
    reporter.report('away', of({ x: 2 }), undefined);
    await settled();
    assert.equal(written.length, 2);
    now += 60_000;
    reporter.report('other', of({ x: 3 }), { x: 3 });
    await settled();
    assert.deepEqual(written.slice(2), [{ x: 2 }]);
  });

  it('tries again soon where somebody else wrote to the object, to the version that it has then', async () => {
    answers = [new ApiError('PATCH', 409, '')];
    reporter.report('a', of({ x: 1 }), undefined);
    await settled();
    now += 50;
    reporter.report('b', of({ x: 2 }), { x: 2 });
    await settled();
    assert.deepEqual(written, [{ x: 1 }, { x: 1 }]);
  });

  it('writes to that very object, in the version that is known', () => {
    const report = { ...of({}), metadata: { name: 'a', uid: 'one' } };
    const known = { metadata: { uid: 'one', resourceVersion: '7' } };
    assert.deepEqual(versioned(report, known)?.metadata, { name: 'a', uid: 'one', resourceVersion: '7' });
    assert.equal(versioned(report, { metadata: { uid: 'two', resourceVersion: '8' } }), undefined, 'a namesake');
    assert.equal(versioned(report, undefined), undefined);
  });
});
