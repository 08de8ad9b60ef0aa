import assert from 'node:assert/strict';
import type { LocalRequest } from '../../../crds/types.ts';
import { Requests } from '../../../node-daemonset/local/requests.ts';

const request = (id: string, namespace = 'team'): LocalRequest => ({
  id,
  operation: 'Acquire',
  namespace,
  right: 'own',
  rightUID: 'uid',
  name: id,
});
const never = (): boolean => false;

describe('requests to the operator', () => {
  const written: string[][] = [];
  let failures = 0;
  let requests: Requests;
  beforeEach(() => {
    written.length = 0;
    failures = 0;
    requests = new Requests({
      write(all) {
        if (failures-- > 0) return Promise.reject(new Error('away'));
        written.push(all.map(({ id }) => id));
        return Promise.resolve();
      },
      onError: () => undefined,
      timeoutMs: 2_000,
    });
  });
  afterEach(() => requests.close());
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

  it('are told while they wait, and taken back when they are done or refused', async () => {
    let isDone = false;
    const done = requests.carry(request('a'), 'one', () => isDone);
    const refused = requests.carry(request('b'), 'two', never);
    await settled();
    assert.deepEqual(written.at(-1), ['a', 'b']);
    requests.look({ refusals: [{ id: 'other', reason: 'Invalid', message: 'x' }] });
    isDone = true;
    requests.look({ refusals: [{ id: 'b', reason: 'TooMany', message: 'release some' }] });
    await done;
    await assert.rejects(refused, { code: 'TooMany', message: 'release some' });
    await settled();
    assert.deepEqual(written.at(-1), []);
  });

  it('end after a while, whatever the operator does', async () => {
    await assert.rejects(requests.carry(request('a'), 'one', never), { code: 'TimedOut' });
    await settled();
    assert.deepEqual(written.at(-1), []);
  });

  it('are written again where the API server was away', async () => {
    failures = 1;
    const late = requests.carry(request('a'), 'one', () => written.some((ids) => ids.includes('a')));
    late.catch(() => undefined);
    await settled();
    assert.deepEqual(written, []);
    while (written.length === 0) await settled();
    requests.look({});
    await late;
  });

  it('of an earlier run are taken back, once', async () => {
    requests.look({ requests: [request('old')] });
    requests.look({ requests: [request('old')] });
    await settled();
    assert.deepEqual(written, [[]]);
  });

  it('write nothing where there are none', async () => {
    requests.look({});
    requests.look({ refusals: [{ id: 'old', reason: 'Invalid', message: 'x' }] });
    await settled();
    assert.deepEqual(written, []);
  });

  it('are few, of one sliver and of all', async () => {
    const carry = (id: string, sliver: string): Promise<void> => requests.carry(request(id), sliver, never);
    const all = Array.from({ length: 4 }, (_, n) => carry(`own${n}`, 'sliver-0'));
    await assert.rejects(carry('fifth', 'sliver-0'), { code: 'Busy' });
    all.push(...Array.from({ length: 12 }, (_, n) => carry(`r${n}`, `sliver-${1 + (n % 3)}`)));
    for (const one of all) one.catch(() => undefined);
    await assert.rejects(carry('more', 'sliver-9'), { code: 'Busy' });
    requests.close();
    for (const one of all) await assert.rejects(one, { code: 'Failed' });
  });
  it('of one namespace keep those of no other waiting', async () => {
    const outcomes = new Map<string, string>();
    const carry = (id: string, namespace: string, sliver: string, isDone = never): void =>
      void requests.carry(request(id, namespace), sliver, isDone).then(
        () => outcomes.set(id, 'done'),
        (error: { code: string }) => outcomes.set(id, error.code),
      );
    for (let n = 0; n < 16; n++) carry(`e${n}`, 'evil', `evil-${n % 4}`);
    await settled();
    carry('v0', 'victim', 'victim-0', () => true);
    carry('e16', 'evil', 'evil-4');
    await settled();
    requests.look({});
    await settled();
    assert.deepEqual(Object.fromEntries(outcomes), { e15: 'Busy', v0: 'done', e16: 'Busy' });
    assert.equal(written.at(-1)!.length, 15);
    assert.equal(Math.max(...written.map(({ length }) => length)), 16, 'the schema has room for no more');
  });
});
