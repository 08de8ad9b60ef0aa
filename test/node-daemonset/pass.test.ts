/** Whole passes with enforcers, files and an API server that are tables in memory. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { getCondition } from '../../crds/conditions.ts';
import type {
  ResourceCapability,
  ResourceCapabilityStatus,
  RspecPort,
  SliceNode,
  SliceNodeStatus,
} from '../../crds/types.ts';
import { silentLog } from '../../kube/log.ts';
import { PolicySource } from '../../node-daemonset/admission/ownerfile.ts';
import { Turns } from '../../node-daemonset/admission/turns.ts';
import { loadCheckpoint } from '../../node-daemonset/checkpoint.ts';
import { DISK, type Disk } from '../../node-daemonset/durable.ts';
import { GrantLog } from '../../node-daemonset/grantlog.ts';
import { NO_ORDERS, type Orders } from '../../node-daemonset/owner/orders.ts';
import { type PassParts, runPass, SETTLED_MS } from '../../node-daemonset/pass.ts';
import { createNodeMetrics } from '../../node-daemonset/report/metrics.ts';
import type { StatusReport } from '../../node-daemonset/report/reporter.ts';
import { Statuses } from '../../node-daemonset/report/statuses.ts';
import type { Desired, Enforcer, Problem } from '../../node-daemonset/sliver.ts';
import { PENALTY_MS } from '../../node-daemonset/standing.ts';
import { StateStore } from '../../node-daemonset/state.ts';
import { WORDS_MS } from '../../node-daemonset/suspension.ts';
import { edited, NODE, NOW, pod, right, shares } from './rights.ts';

interface World {
  parts: PassParts;
  rcaps: ResourceCapability[] | undefined;
  sliceNode: SliceNode | undefined;
  now: number;
  desired: Desired[];
  problems: Problem[];
  reports: Map<string, StatusReport>;
  orders: Orders;
  log: string[];
}

describe('pass', () => {
  let directory: string;
  let world: World;

  const sliceNode = (spec: SliceNode['spec'] = {}): SliceNode => {
    const { uid, ...allocatable } = NODE;
    return {
      apiVersion: '',
      kind: 'SliceNode',
      metadata: { name: 'node1', uid: 'sln' },
      spec,
      status: { node: { uid, allocatable } },
    };
  };
  const enforcer = (name: string, enforce: Enforcer['enforce']): Enforcer => ({
    name,
    enforce,
    release: async () => undefined,
  });

  const build = (): World => {
    const path = join(directory, 'checkpoint.json');
    const made: World = {
      rcaps: [],
      sliceNode: sliceNode(),
      now: NOW,
      desired: [],
      problems: [],
      reports: new Map(),
      orders: NO_ORDERS,
      log: [],
      parts: {
        nodeName: 'node1',
        store: new StateStore(path, loadCheckpoint(path, NOW).state),
        grantLog: {
          append: (decisions) => void made.log.push(...decisions.map(({ event, uid }) => `${event} ${uid}`)),
          owe: (decisions) => void made.log.push(...decisions.map(({ event, uid }) => `owes ${event} ${uid}`)),
        },
        announce: (decision) => void made.log.push(`tells ${decision.uid} ${decision.reason}`),
        turns: new Turns(() => made.now),
        policy: new PolicySource(join(directory, 'policy.yaml')),
        orders: () => made.orders,
        rcaps: () => made.rcaps,
        sliceNode: () => made.sliceNode,
        otherRequests: () => 0,
        lineRate: () => undefined,
        heldPorts: async () => [],
        isGone: () => false,
        hasStarted: () => true,
        budgets: {
          apply: (slivers) => ({ slivers: [...slivers], verdicts: [], wakeAt: undefined }),
          save: () => undefined,
        },
        audit: { problems: () => [], page: () => undefined },
        enforcers: [
          enforcer('first', async () => {
            throw new Error('no tc');
          }),
          enforcer('second', async (desired) => {
            made.desired.push(desired);
            return { writes: 1, problems: made.problems };
          }),
        ],
        directories: { write: () => undefined, sweep: () => undefined },
        addresses: { update: () => undefined, recheck: () => undefined, bytesSent: () => 7 },
        statuses: new Statuses({ report: (key, report) => void made.reports.set(key, report), keep: () => undefined }),
        metrics: createNodeMetrics(new Registry()),
        onDesired: () => {},
        attributes: {},
        versions: { nodeManager: '1', kernel: '6' },
        log: silentLog(),
        now: () => made.now,
      },
    };
    return made;
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pass-'));
    world = build();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const condition = (uid: string, type: string): string => {
    const { conditions } = world.reports.get(uid)!.status as ResourceCapabilityStatus;
    const { status, reason } = getCondition(conditions, type)!;
    return `${status} ${reason}`;
  };
  const publish = (uid: string, rcap: ResourceCapability, change = {}): void => {
    world.parts.store.set({ pods: [...world.parts.store.get().pods, pod(uid, rcap, change)] });
  };

  it('says which generation of the owner’s policy it goes by', async () => {
    const told = (): SliceNodeStatus => world.reports.get('node1')!.status;
    world.sliceNode!.metadata.generation = 7;
    await runPass(world.parts, true);
    assert.equal(told().observedGeneration, 7);
    assert.equal(getCondition(told().conditions, 'Ready')!.observedGeneration, 7);
    world.sliceNode = { ...sliceNode({ shares: 1 }), metadata: { name: 'node1', uid: 'sln', generation: 8 } };
    await runPass(world.parts, false);
    assert.equal(told().observedGeneration, 8);
    assert.equal(told().offered?.shares, 1);
  });

  it('grants, and tells who asked and the owner', async () => {
    world.rcaps = [right('a', shares(100)), right('b', shares(1001))];
    await runPass(world.parts, true);
    assert.equal(condition('a', 'Granted'), 'True Granted');
    assert.equal(condition('a', 'Ready'), 'False NoPod');
    assert.equal(condition('b', 'Granted'), 'False InvalidSpec');
    assert.equal(condition('b', 'Ready'), 'False InvalidSpec');
    const { granted } = world.reports.get('a')!.status as ResourceCapabilityStatus;
    assert.equal(granted?.nodeUID, NODE.uid);
    assert.equal(granted?.resources.cpu?.shares, 100);
    const { free, offered } = world.reports.get('node1')!.status as SliceNodeStatus;
    assert.deepEqual([offered?.shares, free?.shares, free?.pods], [900, 800, 99]);
    assert.deepEqual(world.log, ['granted a', 'denied b']);
  });

  it('has each sliver enforced by every enforcer that works', async () => {
    const rcap = right('a', shares(100));
    world.rcaps = [rcap];
    await runPass(world.parts, true);
    publish('p', rcap, { addresses: ['10.0.0.1'] });
    const result = await runPass(world.parts, true);
    const [sliver] = world.desired.at(-1)!.slivers;
    assert.deepEqual([sliver!.id, sliver!.standing, sliver!.txBytes], ['p', 'entitled', 7]);
    assert.equal(result.failed, true);
    assert.match(result.problems[0]!.message, /first: no tc/);
    assert.equal(
      condition('a', 'Enforced'),
      'False EnforcementFailed',
      'a promise that is not kept is not told as kept',
    );
    world.parts = { ...world.parts, enforcers: world.parts.enforcers.slice(1) };
    assert.equal((await runPass(world.parts, false)).failed, false);
    assert.equal(condition('a', 'Ready'), 'True Enforced');
  });

  it('takes no pod for the sliver of another slice than the one that it was started for, and says so', async () => {
    const rcap = right('a', shares(100), { sliceName: 'other' });
    world.rcaps = [rcap];
    await runPass(world.parts, true);
    publish('p', rcap, { slice: 'measure' });
    await runPass(world.parts, true);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'penalised');
    assert.deepEqual([condition('a', 'Granted'), condition('a', 'Ready')], ['True Granted', 'False NoPod']);
  });

  it('tells a sliver’s problem in its rcap only, and what binds nobody in none', async () => {
    world.parts = { ...world.parts, enforcers: world.parts.enforcers.slice(1) };
    const rcaps = [right('a'), right('b')];
    world.rcaps = rcaps;
    for (const [i, rcap] of rcaps.entries()) publish(`p${i}`, rcap, { addresses: [`10.0.0.${i}`], classId: 0x100 + i });
    world.problems = [
      { sliver: 'p0', reason: 'CpuWriteFailed', message: 'EPERM' },
      { reason: 'LineUnknown', message: 'eth0' },
    ];
    await runPass(world.parts, false);
    assert.equal(condition('a', 'Enforced'), 'False EnforcementFailed');
    assert.equal(condition('b', 'Ready'), 'True Enforced');
    const { conditions } = world.reports.get('node1')!.status as SliceNodeStatus;
    assert.equal(getCondition(conditions, 'LineKnown')?.status, 'False');
    assert.equal(getCondition(conditions, 'Ready')?.status, 'True');
  });

  it('goes on from its own files without the API server, and forgets nothing', async () => {
    const rcap = right('a', shares(100), { window: { end: new Date(NOW + 60_000).toISOString() } });
    world.rcaps = [rcap];
    world.sliceNode = sliceNode({ egressLimit: '50M' });
    await runPass(world.parts, true);
    publish('p', rcap);
    world = build();
    world.rcaps = undefined;
    world.sliceNode = undefined;
    const { wakeAt } = await runPass(world.parts, true);
    assert.equal(world.desired[0]!.facts.egressLimit, 50_000_000);
    assert.equal(world.desired[0]!.slivers[0]!.standing, 'entitled');
    assert.equal(wakeAt, NOW + 60_000);
    world.now = NOW + 60_000;
    assert.equal((await runPass(world.parts, false)).wakeAt, NOW + 60_000 + PENALTY_MS);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'penalised');
    world.now += PENALTY_MS;
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'frozen');
    assert.deepEqual(world.log, ['expired a']);
  });

  it('answers so many questions at once, and goes on at once with the rest', async () => {
    world.rcaps = Array.from({ length: 150 }, (_, i) => right(`r${i}`));
    const first = await runPass(world.parts, false);
    assert.deepEqual([world.log.length, first.wakeAt], [100, NOW + 10]);
    const second = await runPass(world.parts, false);
    assert.deepEqual([world.log.length, second.wakeAt], [150, undefined]);
  });

  it('goes by the last valid policy of the run before where the owner’s file has a slip, also by a cap since', async () => {
    const file = join(directory, 'policy.yaml');
    const rcap = right('a', shares(100));
    writeFileSync(file, 'egressLimit: 50M\nnamespaces: [{ name: mallory, refused: true }]\n');
    world.rcaps = [rcap];
    await runPass(world.parts, true);
    publish('p', rcap, { addresses: ['10.0.0.1'] });
    writeFileSync(file, 'egresslimit: 50M\n');
    world = build();
    world.parts = { ...world.parts, enforcers: world.parts.enforcers.slice(1) };
    world.rcaps = [rcap, right('b', shares(1), {}, { namespace: 'mallory' }), right('c', shares(1))];
    const { problems } = await runPass(world.parts, true);
    assert.deepEqual(problems, []);
    assert.equal(world.desired.at(-1)!.facts.egressLimit, 50_000_000);
    assert.equal(condition('b', 'Granted'), 'False NamespaceRefused');
    assert.equal(condition('c', 'Granted'), 'True Granted');
    const { conditions } = world.reports.get('node1')!.status as SliceNodeStatus;
    assert.match(getCondition(conditions, 'Ready')!.message, /^the last valid policy holds: .*no field egresslimit/);
    world.orders = { cap: { egressLimit: 7_000_000, since: 'now', reason: '' }, suspended: [] };
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.facts.egressLimit, 7_000_000);
    writeFileSync(file, '{}\n');
    world.orders = NO_ORDERS;
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.facts.egressLimit, 100_000_000);
  });

  it('looks again soon at a file that changed just now', async () => {
    const { policy } = world.parts;
    world.parts = { ...world.parts, policy: { read: (said) => ({ ...policy.read(said), unsettled: true }) } };
    assert.equal((await runPass(world.parts, true)).wakeAt, NOW + SETTLED_MS);
  });

  it('enforces what was granted where there never was a valid policy, says so, and decides nothing', async () => {
    const egress = { limit: '9M', guarantee: '3M' };
    const rcap = right('a', { ...shares(100), egress }, { window: { end: new Date(NOW + 300_000).toISOString() } });
    world.rcaps = [rcap];
    await runPass(world.parts, true);
    publish('p', rcap, { addresses: ['10.0.0.1'] });
    world.parts.store.set({ policy: undefined }); // as an older node manager left it
    writeFileSync(join(directory, 'policy.yaml'), 'egresslimit: 50M\n');
    world = build();
    world.parts = { ...world.parts, enforcers: world.parts.enforcers.slice(1) };
    world.rcaps = [rcap, right('b', shares(1))];
    const { problems } = await runPass(world.parts, true);
    const [problem] = problems;
    assert.equal(problem!.reason, 'PolicyUnknown');
    assert.match(problem!.message, /never was a valid policy.*no field egresslimit/);
    const { slivers, facts } = world.desired.at(-1)!;
    assert.deepEqual([slivers[0]!.standing, facts.egressLimit], ['entitled', 3_000_000]);
    assert.equal(world.reports.has('b'), false, 'neither granted nor refused');
    assert.equal(condition('a', 'Enforced'), 'False EnforcementFailed');
    const { conditions } = world.reports.get('node1')!.status as SliceNodeStatus;
    assert.equal(getCondition(conditions, 'Ready')!.message, problem!.message);

    const suspended = [{ namespace: 'team', slice: undefined, since: 'now', reason: 'stop' }];
    world.orders = { cap: undefined, suspended };
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'penalised');
    world.now += PENALTY_MS;
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'frozen');
    world.orders = NO_ORDERS;
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'entitled');
    world.now = NOW + 300_000;
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.slivers[0]!.standing, 'penalised');
    assert.deepEqual(world.log, ['expired a']);
  });

  it('promises nothing that is not on the disk', async () => {
    world.rcaps = [right('a')];
    world.parts = {
      ...world.parts,
      grantLog: {
        append: () => {
          throw new Error('ENOSPC');
        },
        owe: () => undefined,
      },
    };
    const { problems, failed } = await runPass(world.parts, true);
    assert.equal(failed, true);
    assert.equal(problems[0]!.reason, 'StateNotSaved');
    assert.equal(world.reports.has('a'), false);
    assert.deepEqual(world.parts.store.get().ledger.entries, []);
    const { conditions } = world.reports.get('node1')!.status as SliceNodeStatus;
    assert.match(getCondition(conditions, 'Ready')!.message, /ENOSPC/);
  });

  it('on a full disk ends what ends, obeys the owner, forgets the gone, and enforces it all', async () => {
    let full = false;
    const open: Disk['open'] = (...args) => {
      if (full) throw new Error('ENOSPC');
      return DISK.open(...args);
    };
    const rcaps = [right('a'), right('b'), right('c')];
    world.rcaps = rcaps;
    const store = new StateStore(join(directory, 'checkpoint.json'), world.parts.store.get(), { ...DISK, open });
    const grantLog = new GrantLog({ path: join(directory, 'grants'), disk: { ...DISK, open } });
    world.parts = { ...world.parts, store, grantLog };
    await runPass(world.parts, true);
    for (const [i, rcap] of rcaps.entries()) publish(`p${i}`, rcap, { classId: 0x100 + i });
    await runPass(world.parts, true);
    full = true;
    world.rcaps = [rcaps[0]!, rcaps[2]!, right('d')];
    world.sliceNode = sliceNode({ egressLimit: '50M' });
    world.now += 120_000;
    world.parts = { ...world.parts, isGone: (uid) => uid === 'p2' };
    const { problems, failed } = await runPass(world.parts, true);
    assert.ok(failed && problems.some(({ reason, message }) => reason === 'StateNotSaved' && /ENOSPC/.test(message)));
    const { slivers, facts } = world.desired.at(-1)!;
    assert.deepEqual(
      slivers.map(({ id, standing }) => `${id} ${standing}`),
      ['p0 entitled', 'p1 penalised'],
    );
    assert.equal(facts.egressLimit, 50_000_000);
    assert.equal(world.reports.has('d'), false, 'nothing is promised meanwhile');
    world.now += PENALTY_MS;
    await runPass(world.parts, false);
    assert.equal(world.desired.at(-1)!.slivers[1]!.standing, 'frozen');
    full = false;
    await runPass(world.parts, true);
    assert.equal(condition('d', 'Granted'), 'True Granted');
    const log = readFileSync(join(directory, 'grants'), 'utf8');
    assert.match(log, /"released","uid":"b"/);
    assert.equal(loadCheckpoint(join(directory, 'checkpoint.json'), NOW).state.pods.length, 2);
  });

  it('refuses nobody on a guess about other pods', async () => {
    world.rcaps = [right('a')];
    const { otherRequests } = world.parts;
    world.parts = {
      ...world.parts,
      otherRequests: () => {
        throw new Error('no cgroups');
      },
    };
    assert.equal((await runPass(world.parts, true)).failed, true);
    assert.deepEqual(world.parts.store.get().ledger.entries, []);
    world.parts = { ...world.parts, otherRequests };
    await runPass(world.parts, true);
    assert.equal(condition('a', 'Granted'), 'True Granted');
  });

  it('says nothing new of a right until it has looked at it as a Node that was registered anew', async () => {
    world.rcaps = [right('a')];
    await runPass(world.parts, true);
    world.reports.clear();
    world.sliceNode!.status!.node!.uid = 'registered-anew';
    const { otherRequests } = world.parts;
    world.parts = {
      ...world.parts,
      otherRequests: () => {
        throw new Error('no cgroups');
      },
    };
    await runPass(world.parts, true);
    assert.equal(world.reports.get('a'), undefined);
    const before = world.parts.store.get().ledger.entries[0]!;
    assert.deepEqual([before.grant, before.former?.amounts.shares], [undefined, 1]);
    world.parts = { ...world.parts, otherRequests };
    await runPass(world.parts, true);
    const { granted } = world.reports.get('a')!.status as ResourceCapabilityStatus;
    assert.equal(granted!.nodeUID, 'registered-anew');
  });

  it('refuses a port that somebody has, and grants it to the right whose own pod has it', async () => {
    const asked: RspecPort[][] = [];
    const port = { protocol: 'TCP' as const, port: 5001 };
    const heldBy = (pod: string) => async (ports: readonly RspecPort[]) => {
      asked.push([...ports]);
      return [{ ...port, by: `web (pid 7, pod ${pod})`, pod }];
    };
    const rcaps = [right('a', { ports: [port] }), right('b', shares(2))];
    world.rcaps = rcaps;
    publish('p', rcaps[0]!);
    world.parts = { ...world.parts, heldPorts: heldBy('q') };
    await runPass(world.parts, true);
    assert.equal(condition('a', 'Granted'), 'False PortInUse');
    assert.equal(condition('b', 'Granted'), 'True Granted');
    world.parts = { ...world.parts, heldPorts: heldBy('p') };
    world.rcaps = [edited(rcaps[0]!, {}), rcaps[1]!];
    await runPass(world.parts, false);
    assert.equal(condition('a', 'Granted'), 'True Granted');
    assert.deepEqual(world.desired.at(-1)!.ports, [port]);
    await runPass(world.parts, true);
    assert.deepEqual(asked, [[port], [port]], 'what is answered is not looked for');
  });

  it('answers nobody who asks for ports while it can’t look for them, and everybody else', async () => {
    world.rcaps = [right('a', { ports: [{ protocol: 'UDP', port: 53_000 }] }), right('b')];
    const { heldPorts } = world.parts;
    const enforcers = world.parts.enforcers.slice(1);
    const fails = async (): Promise<never> => Promise.reject(new Error('no nft'));
    world.parts = { ...world.parts, enforcers, heldPorts: fails };
    publish('p', world.rcaps[1]!, { addresses: ['10.0.0.1'] });
    const { failed, problems } = await runPass(world.parts, true);
    assert.deepEqual([failed, problems.map(({ reason }) => reason)], [true, ['PortsUnknown']]);
    assert.equal(world.reports.has('a'), false);
    assert.equal(condition('b', 'Ready'), 'True Enforced', 'it is nothing to those who have their rights');
    world.parts = { ...world.parts, heldPorts };
    await runPass(world.parts, false);
    assert.equal(condition('a', 'Granted'), 'True Granted');
  });

  it('asks for no address of a sliver on the node’s network', async () => {
    world.parts = { ...world.parts, enforcers: world.parts.enforcers.slice(1) };
    world.sliceNode = sliceNode({ hostNetwork: true });
    const watched: unknown[] = [];
    const update = (pods: readonly { uid: string; network: string }[]) =>
      void watched.push(...pods.map(({ uid, network }) => `${uid} ${network}`));
    world.parts.addresses = { ...world.parts.addresses, update };
    const rcaps = [right('a', { network: 'Host' }), right('b')];
    world.rcaps = rcaps;
    for (const [i, rcap] of rcaps.entries()) publish(`p${i}`, rcap, { classId: 0x100 + i });
    await runPass(world.parts, false);
    world.now += 60_000;
    await runPass(world.parts, true);
    assert.equal(condition('a', 'Ready'), 'True Enforced');
    assert.equal(condition('b', 'Ready'), 'False NoAddress');
    assert.deepEqual(
      world.desired.at(-1)!.slivers.map(({ network }) => network),
      ['Host', 'Pod'],
    );
    assert.deepEqual(watched.slice(-2), ['p0 Host', 'p1 Pod']);
    const { granted } = world.reports.get('a')!.status as ResourceCapabilityStatus;
    assert.equal(granted?.resources.network, 'Host');
  });

  it('holds down what runs by a part of a right whose holder suspends it, also after a restart and without the API server', async () => {
    const said = { reason: 'probes our customers', contact: 'ops@broker.example' };
    const whole = right('whole', shares(200), { sliceName: '' }, { creationTimestamp: '2026-09-01T00:00:00Z' });
    const part = right('part', shares(100), { from: 'right-whole' });
    const statusOf = (uid: string) => world.reports.get(uid)!.status as ResourceCapabilityStatus;
    const standing = (): string => world.desired.at(-1)!.slivers[0]!.standing;
    world.rcaps = [whole, part];
    await runPass(world.parts, true);
    publish('p', part, { addresses: ['10.0.0.2'] });
    await runPass(world.parts, true);
    assert.deepEqual([standing(), statusOf('part').suspendedBy], ['entitled', undefined]);
    world.rcaps = [edited(whole, { suspended: said }), part];
    await runPass(world.parts, false);
    assert.equal(standing(), 'penalised');
    assert.equal(condition('part', 'Ready'), 'False Suspended');
    assert.equal(condition('whole', 'Granted'), 'True Granted');
    for (const uid of ['whole', 'part']) {
      assert.deepEqual(statusOf(uid).suspendedBy, [{ right: 'team/right-whole', ...said }]);
    }
    assert.match(
      getCondition(statusOf('part').conditions, 'Ready')!.message,
      /suspended by the holder of right team\/right-whole \(ops@broker.example\): probes our customers/,
    );
    const edits = ['more', 'and more'].map((reason) => edited(edited(whole, {}), { suspended: { ...said, reason } }));
    const results = [];
    for (const one of edits) {
      world.rcaps = [one, part];
      results.push(await runPass(world.parts, false));
    }
    assert.equal(statusOf('part').suspendedBy![0]!.reason, 'more');
    assert.equal(results[1]!.wakeAt, NOW + WORDS_MS);
    world.now = NOW + WORDS_MS;
    await runPass(world.parts, false);
    assert.equal(statusOf('part').suspendedBy![0]!.reason, 'and more');
    world = build();
    Object.assign(world, { rcaps: undefined, sliceNode: undefined, now: NOW + PENALTY_MS });
    await runPass(world.parts, true);
    assert.equal(standing(), 'frozen');
    world.rcaps = [edited(edited(whole, {}), {}), part];
    await runPass(world.parts, false);
    assert.equal(standing(), 'entitled');
    assert.equal(statusOf('part').suspendedBy, undefined);
  });

  describe('what the owner says on the node', () => {
    const since = '2026-11-01T00:00:00Z';
    const suspend = (slice?: string): void => {
      world.orders = { ...NO_ORDERS, suspended: [{ namespace: 'team', slice, since, reason: 'too loud' }] };
    };
    const standing = (): string => world.desired.at(-1)!.slivers[0]!.standing;
    const message = (uid: string, type: string): string =>
      getCondition((world.reports.get(uid)!.status as ResourceCapabilityStatus).conditions, type)!.message;
    const node = (): SliceNodeStatus => world.reports.get('node1')!.status;

    beforeEach(async () => {
      world.rcaps = [right('r', shares(100))];
      await runPass(world.parts, true);
      publish('p', world.rcaps[0]!, { addresses: ['10.0.0.2'] });
      await runPass(world.parts, true);
      assert.equal(standing(), 'entitled');
    });

    it('suspends a sliver, names itself, and holds through a restart and without the API server', async () => {
      suspend('measure');
      await runPass(world.parts, false);
      assert.equal(standing(), 'penalised');
      assert.equal(condition('r', 'Ready'), 'False Suspended');
      assert.equal(
        message('r', 'Ready'),
        `the right is kept, and suspended by the node's owner since ${since}: too loud`,
      );
      assert.match(
        message('r', 'Enforced'),
        /pod right-r has no right now and is held down: suspended by the node's owner/,
      );
      assert.deepEqual(node().orders!.suspended, [{ namespace: 'team', slice: 'measure', since, reason: 'too loud' }]);
      const { orders } = world;
      world = build();
      Object.assign(world, { orders, rcaps: undefined, sliceNode: undefined, now: NOW + PENALTY_MS });
      await runPass(world.parts, true);
      assert.equal(standing(), 'frozen');
    });

    it('is not undone by what others say: each suspender is named, and each has to resume', async () => {
      suspend();
      const { status } = world.sliceNode!;
      const restraints = [{ namespace: 'team', slice: 'measure', suspended: true }];
      world.sliceNode = { ...world.sliceNode!, status: { ...status, restraints } };
      await runPass(world.parts, false);
      assert.match(message('r', 'Ready'), /suspended by a Restraint: see .* measure; by the node's owner since/);
      world.sliceNode = { ...world.sliceNode, status };
      world.rcaps = [edited(world.rcaps![0]!, { contact: 'author@example.org' })];
      await runPass(world.parts, false);
      assert.equal(standing(), 'penalised');
      world.orders = NO_ORDERS;
      await runPass(world.parts, false);
      assert.equal(standing(), 'entitled');
      assert.doesNotMatch(condition('r', 'Ready'), /Suspended/);
      assert.equal(node().orders, undefined);
    });

    it('holds as it was where the files can’t be read, and the node says so', async () => {
      suspend('measure');
      await runPass(world.parts, false);
      world.parts.orders = () => {
        throw new Error('EIO');
      };
      const { problems } = await runPass(world.parts, false);
      assert.equal(standing(), 'penalised');
      assert.deepEqual(problems.find(({ reason }) => reason === 'OrdersUnknown')?.message, 'EIO');
      assert.equal(getCondition(node().conditions, 'Ready')!.status, 'False');
    });

    it('caps what slices send, below the policy and never above it, and takes no right away', async () => {
      const capTo = async (egressLimit: number): Promise<number> => {
        world.orders = { ...NO_ORDERS, cap: { egressLimit, since, reason: '' } };
        await runPass(world.parts, false);
        return world.desired.at(-1)!.facts.egressLimit;
      };
      world.sliceNode = sliceNode({ egressLimit: '80M', evict: true });
      world.rcaps = [right('r', { ...shares(100), egress: { guarantee: '30M', limit: '60M' } })];
      world.rcaps[0]!.metadata.generation = 2;
      await runPass(world.parts, false);
      assert.equal(await capTo(500e6), 80e6);
      assert.equal(await capTo(20e6), 20e6);
      assert.deepEqual([node().orders!.cap!.egressLimit, node().offered!.egress], ['20M', '20M']);
      assert.equal(condition('r', 'Granted'), 'True Granted');
      assert.equal(getCondition(node().conditions, 'WithinOffer')!.reason, 'Overcommitted');
    });

    it('evicts by the policy, with an Event for whoever loses the right', async () => {
      world.sliceNode = sliceNode({ shares: 99, evict: true });
      await runPass(world.parts, false);
      assert.ok(world.log.includes('evicted r') && world.log.includes('tells r Evicted'), world.log.join());
      assert.equal(condition('r', 'Granted'), 'False Evicted');
      assert.equal(standing(), 'penalised');
      assert.equal(getCondition(node().conditions, 'WithinOffer')!.status, 'True');
    });

    it('without evict marks what is too much, of whatever kind', async () => {
      world.sliceNode = sliceNode({ namespaces: [{ name: 'team', refused: true }] });
      await runPass(world.parts, false);
      const { status, message: text } = getCondition(node().conditions, 'WithinOffer')!;
      assert.equal(status, 'False');
      assert.match(text, /^1 right the owner's policy would not grant now, kept until its window ends: team\/right-r/);
      assert.equal(standing(), 'entitled');
    });

    it('marks it also where the ledger was lost, and what runs by it goes on', async () => {
      world.rcaps = world.rcaps!.map((rcap) => ({ ...rcap, status: world.reports.get('r')!.status }));
      const { rcaps } = world;
      rmSync(join(directory, 'checkpoint.json'));
      world = build();
      world.sliceNode = sliceNode({ namespaces: [{ name: 'team', refused: true }] });
      world.rcaps = undefined;
      await runPass(world.parts, true);
      world.rcaps = rcaps;
      await runPass(world.parts, false);
      assert.equal(condition('r', 'Granted'), 'True Granted');
      assert.equal(getCondition(node().conditions, 'WithinOffer')!.reason, 'Overcommitted');
      publish('p', rcaps[0]!, { addresses: ['10.0.0.2'] });
      await runPass(world.parts, false);
      assert.equal(standing(), 'entitled');
    });
  });

  it('does nothing before it knows its node', async () => {
    world.rcaps = [right('a')];
    world.sliceNode = { ...sliceNode(), status: {} };
    await runPass(world.parts, true);
    assert.equal(world.reports.has('a'), false);
    assert.deepEqual(world.desired, []);
    const { conditions } = world.reports.get('node1')!.status as SliceNodeStatus;
    assert.equal(getCondition(conditions, 'Ready')!.reason, 'WaitingForNode');
  });

  it('drops the record of a pod that left no trace, on a full pass', async () => {
    const rcap = right('a');
    world.rcaps = [rcap];
    publish('p', rcap);
    world.parts = { ...world.parts, isGone: () => true };
    await runPass(world.parts, true);
    assert.equal(world.parts.store.get().pods.length, 1, 'it may only just have been published');
    world.now += 60_000;
    await runPass(world.parts, false);
    assert.equal(world.parts.store.get().pods.length, 1);
    await runPass(world.parts, true);
    assert.equal(world.parts.store.get().pods.length, 0);
  });

  it('says nothing anew when nothing changed', async () => {
    world.rcaps = [right('a')];
    await runPass(world.parts, true);
    world.reports.clear();
    await runPass(world.parts, false);
    assert.deepEqual([...world.reports.keys()], ['node1']);
  });
});
