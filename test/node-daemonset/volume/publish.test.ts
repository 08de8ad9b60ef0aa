/** Which pods get their volume, and so may start, and what they find in it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCheckpoint } from '../../../node-daemonset/checkpoint.ts';
import type { Problem } from '../../../node-daemonset/sliver.ts';
import { SliverDirectories } from '../../../node-daemonset/volume/directory.ts';
import type { PassResult } from '../../../node-daemonset/volume/publish.ts';
import { edited, granted, NOW, right, shares } from '../rights.ts';
import { KUBELET, Kubelet } from './kubelet.ts';

const problem = (one: Problem) => async (): Promise<PassResult> => ({ problems: [one] });

describe('a volume', () => {
  const rcap = right('a', shares(100));
  let kubelet: Kubelet;
  beforeEach(() => void (kubelet = new Kubelet()));
  afterEach(() => kubelet.end());

  it('lets a pod with a right in, after the kernel enforces it', async () => {
    await kubelet.begin(granted(rcap));
    kubelet.pass = async () => {
      assert.deepEqual(
        kubelet.store.get().pods.map(({ uid, classId }) => [uid, classId]),
        [['pod-1', 0x100]],
        'it is enforced first',
      );
      assert.equal(kubelet.mounts.size, 0);
      return {
        problems: [
          { reason: 'LineUnknown', message: 'the node’s own' },
          { reason: 'EgressOvercommitted', message: 'the owner’s doing, and no newcomer’s' },
          { sliver: 'another', reason: 'NoCgroup', message: '' },
        ],
      };
    };
    await kubelet.publish();
    const [[target, source]] = [...kubelet.mounts] as [[string, string]];
    assert.equal(target, `${KUBELET}/pods/pod-1/volumes/kubernetes.io~csi/slice/mount`);
    const read = (name: string): string => readFileSync(join(source, name), 'utf8');
    assert.deepEqual(readdirSync(source).sort(), ['capability', 'node', 'rspec.json', 'slice']);
    assert.equal(read('slice'), 'measure\n');
    assert.equal(read('node'), 'node1\n');
    assert.equal(read('capability'), 'team/right-a\n');
    assert.equal((JSON.parse(read('rspec.json')) as { cpu: { shares: number } }).cpu.shares, 100);
    assert.equal(loadCheckpoint(kubelet.path('checkpoint.json'), NOW).state.pods[0]!.uid, 'pod-1', 'it is on the disk');
  });

  it('gives the same answer to the same question, also after a restart', async () => {
    await kubelet.begin(granted(rcap));
    await kubelet.publish();
    kubelet.running.add('pod-1');
    await kubelet.publish();
    await kubelet.restart();
    await kubelet.publish();
    assert.equal(kubelet.store.get().pods.length, 1);
    assert.equal(kubelet.store.get().pods[0]!.classId, 0x100);
    await kubelet.unpublish(); // still running: kept
    kubelet.running.clear();
    await kubelet.unpublish();
    await kubelet.unpublish();
    assert.deepEqual(kubelet.store.get().pods, []);
    assert.equal(kubelet.mounts.size, 0);
    assert.deepEqual(readdirSync(kubelet.path('slivers')), []);
  });

  const noRight: [string, ReturnType<typeof right>, RegExp][] = [
    ['unknown', right('x'), /gives no right here now: NotGranted \(this node has not granted it\)/],
    ['refused', right('a', shares(0)), /InvalidSpec \(spec.resources.cpu.shares/],
    ['not bound', right('a', {}, { sliceName: undefined }), /NotBound/],
    ['not open yet', right('a', {}, { window: { start: '2027-01-01T00:00:00Z' } }), /WindowNotOpen/],
    ['of another namespace', right('a', {}, {}, { namespace: 'lab' }), /team\/right-a gives no right/],
  ];
  for (const [what, of, message] of noRight) {
    it(`keeps a pod out whose right is ${what}`, async () => {
      await kubelet.begin(granted(of));
      await kubelet.isRefused({}, 9, message);
      assert.deepEqual(kubelet.store.get().pods, []);
      assert.equal(kubelet.mounts.size, 0);
    });
  }

  it('lets one pod of a right in, and the next when the first is gone', async () => {
    await kubelet.begin(granted(rcap));
    await kubelet.publish();
    await kubelet.isRefused({ uid: 'pod-2' }, 9, /pod sliver \(pod-1\) holds team\/right-a/);
    kubelet.running.add('pod-1');
    kubelet.now += 600_000;
    await kubelet.isRefused({ uid: 'pod-2' }, 9, /holds/);
    kubelet.running.clear();
    await kubelet.isRefused({ uid: 'pod-2' }, 9, /holds/);
    kubelet.gone.add('pod-1');
    await kubelet.publish({ uid: 'pod-2' });
    assert.deepEqual(
      kubelet.store.get().pods.map(({ uid, classId }) => [uid, classId]),
      [['pod-2', 0x101]],
    );
  });

  const notEnforced: [string, () => Promise<PassResult>][] = [
    ['its own enforcement fails', problem({ sliver: 'pod-1', reason: 'CpuWriteFailed', message: 'EPERM' })],
    ['the uplink is not ours', problem({ reason: 'UplinkBusy', message: 'fq_codel' })],
    ['nobody knows the owner’s policy', problem({ reason: 'PolicyUnknown', message: 'no field share' })],
    ['an enforcer fails', problem({ reason: 'EnforcerFailed', message: 'egress: no tc' })],
    ['the pass does not end', () => new Promise(() => undefined)],
  ];
  for (const [what, failing] of notEnforced) {
    it(`keeps a pod out as long as ${what}, and leaves nothing of it`, async () => {
      await kubelet.begin(granted(rcap));
      const working = kubelet.pass;
      kubelet.pass = failing;
      await kubelet.isRefused({}, 14, /not enforced/);
      assert.deepEqual(kubelet.store.get().pods, []);
      assert.equal(kubelet.mounts.size, 0);
      kubelet.pass = working;
      await kubelet.publish();
      assert.equal(kubelet.mounts.size, 1);
    });
  }

  it('never makes a pod that runs another slice’s sliver, also where a new right has the old one’s name', async () => {
    await kubelet.begin(granted(rcap));
    await kubelet.publish();
    kubelet.running.add('pod-1');
    kubelet.store.set({
      ledger: granted(right('b', shares(100), { sliceName: 'other' }, { name: rcap.metadata.name })),
    });
    await kubelet.isRefused(
      {},
      9,
      /pod sliver is a sliver of slice measure: a right that is bound to other needs a pod of its/,
    );
    assert.deepEqual(
      kubelet.store.get().pods.map(({ slice, rcap: { uid } }) => [slice, uid]),
      [['measure', 'a']],
    );
  });

  it('is refused to whatever pod asks for a right of a slice that others suspended', async () => {
    await kubelet.begin(granted(rcap));
    kubelet.store.accept({ restraints: [{ namespace: 'team', slice: 'measure', suspended: true }] });
    await kubelet.isRefused({}, 9, /gives no right here now: Suspended/);
    kubelet.store.accept({ restraints: [], suspended: [{ uid: rcap.metadata.uid!, reason: 'its holder says so' }] });
    await kubelet.isRefused({}, 9, /gives no right here now: Suspended/);
    kubelet.store.accept({ suspended: [] });
    await kubelet.publish();
  });

  it('keeps a pod out whose right is lost while it waits', async () => {
    await kubelet.begin(granted(rcap));
    kubelet.pass = async () => {
      kubelet.store.set({ ledger: { ...kubelet.store.get().ledger, entries: [] } });
      return { problems: [] };
    };
    await kubelet.isRefused({}, 9, /NotGranted/);
    assert.equal(kubelet.mounts.size, 0);
  });

  it('asks a second call for the same pod to come again', async () => {
    await kubelet.begin(granted(rcap));
    const began = Promise.withResolvers<void>();
    const result = Promise.withResolvers<PassResult>();
    kubelet.pass = () => {
      began.resolve();
      return result.promise;
    };
    const first = kubelet.publish();
    await began.promise;
    await kubelet.isRefused({}, 10, /under way/);
    result.resolve({ problems: [] });
    await first;
  });

  it('keeps watch over a pod that runs on without its volume', async () => {
    await kubelet.begin(granted(rcap));
    await kubelet.publish();
    kubelet.running.add('pod-1');
    await kubelet.unpublish();
    assert.deepEqual(
      kubelet.store.get().pods.map(({ unpublished }) => unpublished),
      [true],
    );
  });

  it('shows what a renewal changed', async () => {
    await kubelet.begin(granted(rcap));
    await kubelet.publish();
    const directories = new SliverDirectories(kubelet.path('slivers'), 'node1');
    const [record] = kubelet.store.get().pods;
    directories.write({
      ...record!,
      amounts: granted(edited(rcap, { resources: shares(200) })).entries[0]!.grant!.amounts,
    });
    assert.match(readFileSync(kubelet.path('slivers/pod-1/rspec.json'), 'utf8'), /"shares": 200/);
  });
});
