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

  describe('with more to write than there is time for', () => {
    const namespaced = (name: string, namespace: string | undefined, status: object): StatusReport => ({
      ...of(status),
      metadata: { name, ...(namespace !== undefined && { namespace }) },
    });
    let order: string[];
    let done: (() => void)[];
    let fair: Reporter;
    /** The oldest write under way comes to its end. */
    const next = async (): Promise<void> => {
      now++;
      done.shift()!();
      await settled();
    };
    const edit = (namespace: string, count: number, words: unknown): void => {
      for (let i = 0; i < count; i++)
        fair.report(`${namespace}${i}`, namespaced(`${namespace}${i}`, namespace, { words }), {});
    };
    beforeEach(() => {
      order = [];
      done = [];
      fair = new Reporter({
        log: silentLog(),
        now: () => now,
        gapMs: 0,
        concurrency: 1,
        write: ({ metadata }) => {
          order.push(metadata.name);
          return new Promise((resolve) => done.push(resolve));
        },
      });
    });
    afterEach(() => fair.close());

    it('lets no namespace wait for another that has something new without end', async () => {
      edit('loud', 100, 0);
      fair.report('quiet', namespaced('quiet', 'quiet', { x: 1 }), {});
      for (let i = 1; i < 4; i++) {
        edit('loud', 100, i);
        await next();
      }
      assert.deepEqual(order.slice(0, 4), ['loud0', 'loud1', 'quiet', 'loud2']);
    });

    it('serves many namespaces in turn, and in each what waits longest', async () => {
      edit('a', 3, 0);
      for (const namespace of ['b', 'c']) edit(namespace, 2, 0);
      for (let i = 0; i < 6; i++) await next();
      assert.deepEqual(order, ['a0', 'a1', 'b0', 'c0', 'a2', 'b1', 'c1']);
    });

    it('writes of a namespace what was not written for long before what was written last', async () => {
      edit('a', 3, 0);
      for (let i = 1; i < 6; i++) {
        edit('a', 3, i);
        await next();
      }
      assert.deepEqual(order, ['a0', 'a1', 'a2', 'a0', 'a1', 'a2']);
    });

    it('writes the node’s own status before all others', async () => {
      for (const namespace of ['a', 'b', 'c']) edit(namespace, 2, 0);
      fair.report('node1', namespaced('node1', undefined, { x: 1 }), {});
      await next();
      assert.deepEqual(order, ['a0', 'node1']);
    });

    it('writes nothing of what is gone, or as it should be by then', async () => {
      edit('a', 4, 0);
      fair.keep(new Set(['a0', 'a1', 'a3']));
      fair.report('a1', namespaced('a1', 'a', { words: 0 }), { words: 0 });
      await next();
      await next();
      assert.deepEqual(order, ['a0', 'a3']);
      assert.equal(done.length, 0);
    });
  });

  it('writes to that very object, in the version that is known', () => {
    const report = { ...of({}), metadata: { name: 'a', uid: 'one' } };
    const known = { metadata: { uid: 'one', resourceVersion: '7' } };
    assert.deepEqual(versioned(report, known)?.metadata, { name: 'a', uid: 'one', resourceVersion: '7' });
    assert.equal(versioned(report, { metadata: { uid: 'two', resourceVersion: '8' } }), undefined, 'a namesake');
    assert.equal(versioned(report, undefined), undefined);
  });
});
