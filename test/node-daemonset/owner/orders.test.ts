import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DISK } from '../../../node-daemonset/durable.ts';
import { MOST_SUSPENDED, NO_ORDERS, OrderFiles } from '../../../node-daemonset/owner/orders.ts';

const SINCE = '2026-11-01T00:00:00.000Z';
const scanner = { namespace: 'site', slice: 'scanner.v2', since: SINCE, reason: 'it probes our customers' };
const all = { namespace: 'site', slice: undefined, since: SINCE, reason: '' };

describe('the owner’s orders on the node', () => {
  let root: string;
  let directory: string;
  let files: OrderFiles;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'orders-'));
    directory = join(root, 'owner');
    files = new OrderFiles(directory);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('are none at first, and nobody’s but root’s to see', () => {
    assert.deepEqual(files.read(), NO_ORDERS);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  });

  it('are there for whoever reads next, each until it is taken back', () => {
    files.suspend(scanner);
    files.suspend(all);
    files.cap({ egressLimit: 50e6, since: SINCE, reason: 'the line is full' });
    const read = new OrderFiles(directory).read();
    assert.deepEqual(
      read.suspended.toSorted((a, b) => Number(!a.slice) - Number(!b.slice)),
      [scanner, all],
    );
    assert.deepEqual(read.cap, { egressLimit: 50e6, since: SINCE, reason: 'the line is full' });
    assert.equal(files.resume('site', undefined), true);
    assert.deepEqual(files.read().suspended, [scanner], 'the one slice was suspended by itself');
    assert.equal(files.resume('site', undefined), false);
    assert.deepEqual([files.uncap(), files.uncap()], [true, false]);
    assert.equal(files.resume('site', 'scanner.v2'), true);
    assert.deepEqual(files.read(), NO_ORDERS);
  });

  it('hold by their names, whatever became of their text; what is no order is left alone', () => {
    files.suspend(scanner);
    writeFileSync(join(directory, 'suspended-site.scanner.v2.json'), '{"since');
    for (const other of ['notes.txt', 'suspended-.json', 'suspended-a/../b.json'.replaceAll('/', ''), 'cap.json.new']) {
      writeFileSync(join(directory, other), '{}');
    }
    assert.deepEqual(files.read().suspended, [{ ...scanner, since: '', reason: '' }]);
  });

  it('throw where a cap was spoilt: it must not be taken for none', () => {
    for (const text of ['', '{}', '{"egressLimit":"50M"}', '{"egressLimit":-1}', 'null']) {
      writeFileSync(join(directory, 'cap.json'), text);
      assert.throws(() => files.read(), /give the cap anew/, text);
    }
  });

  it('never name a file elsewhere', () => {
    for (const namespace of ['../x', 'a/b', '', 'A', 'a.b.c/..']) {
      assert.throws(() => files.suspend({ ...all, namespace }), /names no slice/, namespace);
    }
    assert.deepEqual(readdirSync(directory), []);
  });

  it('are bounded, and can be given anew all the same', () => {
    for (let i = 0; i < MOST_SUSPENDED; i++) writeFileSync(join(directory, `suspended-site.s${i}.json`), '{}');
    assert.throws(() => files.suspend(scanner), /suspended already/);
    files.suspend({ ...scanner, slice: 's0' });
  });

  it('are as they were where the disk fails', () => {
    files.suspend(scanner);
    const failing = new OrderFiles(directory, {
      ...DISK,
      rename: () => {
        throw new Error('ENOSPC');
      },
    });
    assert.throws(() => failing.suspend({ ...scanner, slice: 'other' }), /ENOSPC/);
    assert.throws(() => failing.cap({ egressLimit: 1e6, since: SINCE, reason: '' }), /ENOSPC/);
    assert.deepEqual(files.read(), { cap: undefined, suspended: [scanner] });
  });
});
