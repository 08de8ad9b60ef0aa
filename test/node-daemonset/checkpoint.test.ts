import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EMPTY_LEDGER } from '../../node-daemonset/admission/ledger.ts';
import { offered, policyOf } from '../../node-daemonset/admission/policy.ts';
import { EMPTY_STATE, loadCheckpoint, type NodeState, saveCheckpoint } from '../../node-daemonset/checkpoint.ts';
import { DISK, type Disk } from '../../node-daemonset/durable.ts';
import { GrantLog } from '../../node-daemonset/grantlog.ts';
import { StateStore } from '../../node-daemonset/state.ts';
import { readLog, replay } from './admission/replay.ts';
import { admit, edited, granted, NODE, NOW, pod, right, shares } from './rights.ts';

/** A disk that fails at its n-th step, as a crash or a full disk would; a write that fails wrote a part. */
function failingDisk(failAt: number): { disk: Disk; steps(): number } {
  let step = 0;
  const fail = <A extends unknown[], R>(work: (...args: A) => R, partly?: (...args: A) => void) => {
    return (...args: A): R => {
      if (++step !== failAt) return work(...args);
      partly?.(...args);
      throw new Error(`failed at step ${failAt}`);
    };
  };
  const disk: Disk = {
    open: fail(DISK.open),
    write: fail(DISK.write, (file, text) => DISK.write(file, text.slice(0, text.length / 2))),
    sync: fail(DISK.sync),
    close: DISK.close,
    rename: fail(DISK.rename),
  };
  return { disk, steps: () => step };
}

describe('checkpoint', () => {
  let directory: string;
  let path: string;
  const rcap = right('a', shares(100));
  const state: NodeState = {
    ...EMPTY_STATE,
    ledger: granted(rcap),
    pods: [pod('p', rcap)],
    nextNumber: 0x101,
    node: NODE,
    spec: { shares: 500 },
    policy: { shares: 400 },
    restraints: [{ namespace: 'team', slice: 'measure', suspended: true }],
    suspended: [{ uid: 'a', reason: 'its holder says so' }],
    wordsAt: 7,
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'checkpoint-'));
    path = join(directory, 'checkpoint.json');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is empty at first', () => {
    assert.deepEqual(loadCheckpoint(path, NOW), { state: EMPTY_STATE, problem: undefined });
  });

  it('of a version without numbers of slivers gives each pod one', () => {
    const { nextNumber: _, pods, restraints: ___, suspended: ____, policy: _____, ...rest } = state;
    const { number: __, ...unnumbered } = pods[0]!;
    writeFileSync(path, JSON.stringify({ version: 1, ...rest, pods: [unnumbered] }));
    const loaded = loadCheckpoint(path, NOW);
    assert.equal(loaded.problem, undefined);
    assert.deepEqual([loaded.state.restraints, loaded.state.policy], [[], undefined]);
    assert.deepEqual([loaded.state.pods[0]!.number, loaded.state.nextNumber], [1, 2]);
  });

  it('comes back as it was, for us alone to read', () => {
    saveCheckpoint(path, state);
    assert.deepEqual(JSON.parse(JSON.stringify(loadCheckpoint(path, NOW).state)), JSON.parse(JSON.stringify(state)));
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('is the old one or the new one after a crash at every step', () => {
    saveCheckpoint(path, state);
    const later = { ...state, nextClassId: 0x200 };
    const counting = failingDisk(0);
    saveCheckpoint(path, later, counting.disk);
    assert.ok(counting.steps() >= 6, 'open, write, sync, rename, open, sync');
    for (let step = 1; step <= counting.steps(); step++) {
      saveCheckpoint(path, state);
      assert.throws(() => saveCheckpoint(path, later, failingDisk(step).disk), /failed at step/);
      const { state: found, problem } = loadCheckpoint(path, NOW);
      assert.equal(problem, undefined, `step ${step}`);
      assert.ok([0x100, 0x200].includes(found.nextClassId), `step ${step}`);
      assert.equal(found.ledger.entries.length, 1);
    }
  });

  it('keeps in memory what is on the disk when the disk fails', () => {
    const store = new StateStore(path, state, failingDisk(2).disk);
    assert.throws(() => store.set({ nextClassId: 0x300 }));
    assert.equal(store.get().nextClassId, 0x100);
    store.set({ nextClassId: 0x300 });
    assert.equal(loadCheckpoint(path, NOW).state.nextClassId, 0x300);
  });

  it('is not written when nothing changed', () => {
    const disk = failingDisk(1);
    const store = new StateStore(path, state, disk.disk);
    store.set({ ledger: state.ledger, nextClassId: state.nextClassId });
    assert.equal(disk.steps(), 0);
  });

  const unusable: [string, string][] = [
    ['empty', ''],
    ['cut', '{"version":1,"ledger":{"entr'],
    ['of another version', JSON.stringify({ version: 2, ...state })],
    ['of something else', '[]'],
    ['without a ledger', '{"version":1,"pods":[]}'],
    [
      'with a grant of nothing',
      JSON.stringify({ version: 1, ledger: { entries: [{ uid: 'a', grant: {} }], formerNodeUIDs: [] }, pods: [] }),
    ],
    ['with a pod of nothing', JSON.stringify({ version: 1, ledger: { entries: [], formerNodeUIDs: [] }, pods: [{}] })],
  ];
  for (const [what, text] of unusable) {
    it(`is set aside when it is ${what}`, () => {
      writeFileSync(path, text);
      const { state: found, problem } = loadCheckpoint(path, NOW);
      assert.equal(found, EMPTY_STATE);
      assert.match(problem!, /could not be used .* kept as/);
      assert.deepEqual(readdirSync(directory), [`checkpoint.json.unusable-${NOW}`]);
      assert.equal(readFileSync(`${path}.unusable-${NOW}`, 'utf8'), text);
    });
  }
});

describe('grant log', () => {
  let directory: string;
  let path: string;
  const decision = { event: 'granted', uid: 'a', namespace: 'team', name: 'right-a' } as const;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'grants-'));
    path = join(directory, 'grants.jsonl');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const holds = { time: '2026-11-01T00:00:00.000Z', event: 'holds', grants: {} };
  const lines = (): unknown[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => {
        try {
          return line === '' ? [] : [JSON.parse(line) as unknown];
        } catch {
          return ['cut'];
        }
      });

  it('says what was decided, in order', () => {
    const log = new GrantLog({ path });
    log.append([decision, { ...decision, event: 'released' }], NOW, EMPTY_LEDGER);
    log.append([], NOW, EMPTY_LEDGER);
    log.append([{ ...decision, uid: 'b' }], NOW + 1, EMPTY_LEDGER);
    assert.deepEqual(lines(), [
      holds,
      { time: '2026-11-01T00:00:00.000Z', ...decision },
      { time: '2026-11-01T00:00:00.000Z', ...decision, event: 'released' },
      { time: '2026-11-01T00:00:00.001Z', ...decision, uid: 'b' },
    ]);
  });

  it('loses no line after one that a crash cut', () => {
    const crashed = new GrantLog({ path, disk: failingDisk(2).disk });
    assert.throws(() => crashed.append([decision], NOW, EMPTY_LEDGER));
    new GrantLog({ path }).append([{ ...decision, uid: 'b' }], NOW, EMPTY_LEDGER);
    assert.deepEqual(lines(), [holds, 'cut', holds, { time: '2026-11-01T00:00:00.000Z', ...decision, uid: 'b' }]);
  });

  it('says at a start, and after a failure, what the ledger holds: nothing else that it said before was granted', () => {
    const [x, y] = [right('x', shares(600)), right('y', shares(600))];
    const offer = offered(policyOf({}), NODE, 0);
    const replayed = () => replay(readLog(readFileSync(path, 'utf8')), offer).ledger.entries.map(({ uid }) => uid);
    // the node manager is killed before its ledger is written, and x goes before it runs again
    new GrantLog({ path }).append(admit(EMPTY_LEDGER, [x]).decisions, NOW, EMPTY_LEDGER);
    assert.deepEqual(replayed(), ['x']);
    const log = new GrantLog({ path });
    log.append([], NOW + 1, EMPTY_LEDGER);
    assert.deepEqual(replayed(), []);
    const held = admit(EMPTY_LEDGER, [y]);
    log.append(held.decisions, NOW + 2, EMPTY_LEDGER);
    assert.deepEqual(replayed(), ['y']);
    // a renewal whose ledger the disk did not take
    const more = admit(held.ledger, [edited(y, { resources: shares(800) })]);
    assert.equal(more.decisions[0]!.event, 'renewed');
    log.append(more.decisions, NOW + 3, held.ledger);
    log.owe([], NOW + 3);
    log.append([], NOW + 4, held.ledger);
    const after = replay(readLog(readFileSync(path, 'utf8')), offer).ledger.entries;
    assert.deepEqual(
      after.map(({ uid, grant }) => [uid, grant!.amounts.shares]),
      [['y', 600]],
    );
    const before = readFileSync(path, 'utf8');
    log.append([], NOW + 5, held.ledger);
    assert.equal(readFileSync(path, 'utf8'), before, 'but not again where nothing failed');
  });

  it('is bounded', () => {
    const log = new GrantLog({ path, maxBytes: 200, files: 3 });
    for (let i = 0; i < 50; i++) log.append([{ ...decision, uid: String(i) }], NOW, EMPTY_LEDGER);
    assert.deepEqual(readdirSync(directory).sort(), ['grants.jsonl', 'grants.jsonl.1', 'grants.jsonl.2']);
    assert.ok(JSON.stringify(lines()).includes('"uid":"49"'), 'the latest is kept');
  });
});
