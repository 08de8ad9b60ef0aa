import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import type { SliceNode } from '../../../crds/types.ts';
import { HelpWanted, parseArguments, UsageError } from '../../../operator/kubectl/arguments.ts';
import type { SliverPod } from '../../../operator/kubectl/cluster.ts';
import { table } from '../../../operator/kubectl/table.ts';
import { type NodeReading, planTop } from '../../../operator/kubectl/top.ts';
import { planWhy } from '../../../operator/kubectl/why.ts';
import { planSlice } from '../../../operator/slice/plan/plan.ts';
import type { SliceInput } from '../../../operator/slice/plan/input.ts';
import { aNode, anInput, aRight, aSlice, condition, denied, granted, NOW, running } from '../slice/objects.ts';
import { BUNDLE, bundle } from './bundle.ts';

describe('kubectl slice', () => {
  it('is one file, made from its modules, that can be started', () => {
    assert.equal(readFileSync(BUNDLE, 'utf8'), bundle(), 'run: node test/operator/kubectl/bundle.ts');
    assert.ok((statSync(BUNDLE).mode & 0o111) !== 0);
  });

  it('reads its command line, and hands on what is kubectl’s', () => {
    const args = parseArguments([
      'exec',
      'site/web',
      '--node',
      'n1',
      '--context=c',
      '-n',
      'site',
      '--',
      'ls',
      '-l',
      '--all',
    ]);
    assert.deepEqual([args.command, args.words, args.rest], ['exec', ['site/web'], ['ls', '-l', '--all']]);
    assert.deepEqual([args.kubectl, args.namespace, [...args.options]], [['--context=c'], 'site', [['node', 'n1']]]);
    assert.equal(parseArguments(['ls', '-A']).allNamespaces, true);
    const flags = ['-s', 'https://a', '-nsite', '--v=6', '-v7', '--insecure-skip-tls-verify', '--release-namespace=r'];
    const { kubectl, namespace, release } = parseArguments(['ls', ...flags]);
    assert.deepEqual(kubectl, ['--server=https://a', '--v=6', '--v=7', '--insecure-skip-tls-verify']);
    assert.deepEqual([namespace, release], ['site', 'r']);
    for (const asked of [[], ['help'], ['--help'], ['top', '-h']]) {
      assert.throws(() => parseArguments(asked), HelpWanted, asked.join(' '));
    }
    for (const wrong of [
      ['ls', 'foo'],
      ['audit', 'a', 'b'],
      ['top', 'a', 'b'],
      ['ls', '-Ax'],
      ['ls', '-x'],
      ['lss'],
      ['ls', '--all'],
      ['exec', 'a', '--node'],
      ['constructor'],
      ['ls', '--constructor'],
    ]) {
      assert.throws(() => parseArguments(wrong), UsageError, wrong.join(' '));
    }
  });

  it('lets nobody’s words move the cursor', () => {
    assert.equal(
      table([
        ['A', 'B'],
        ['x\u001b[2J\ny', 'z'],
      ]),
      'A         B\nx [2J y   z\n',
    );
  });

  it('shows what was promised and got', () => {
    const sliver = {
      pod: 'p',
      namespace: 'site',
      slice: 'web',
      standing: 'entitled',
      shares: 100,
      guarantee: 1e6,
      limit: 1e7,
    };
    const at = (time: number, cpuTime: number | null, bytesSent: number | null): NodeReading => {
      return { time, slivers: [{ ...sliver, cpuTime, bytesSent }] };
    };
    const [row] = planTop('n1', 2, at(0, 0, 1000), at(2_000, 1e9, 251_000), () => true);
    assert.deepEqual(row, [
      'site/web',
      'n1',
      'entitled',
      '100',
      '10.0 %',
      '25.0 %',
      '1 Mbit/s',
      '10 Mbit/s',
      '1 Mbit/s',
    ]);
    assert.deepEqual(planTop('n1', undefined, at(0, null, 9), at(2_000, 1, 5), () => true)[0]!.slice(5), [
      '-',
      '1 Mbit/s',
      '10 Mbit/s',
      '-',
    ]);
    assert.deepEqual(
      planTop('n1', 2, at(0, 0, 0), at(1, 0, 0), (name) => name !== 'site/web'),
      [],
    );
  });
});

describe('kubectl slice why', () => {
  /** What it says of what the operator makes of this. */
  function why(input: SliceInput, pods: SliverPod[] = [], nodes?: SliceNode[]): string {
    const slice = { ...input.slice, status: planSlice(input, NOW).status([], NOW) };
    const slivers = input.capabilities.map((right) => {
      return { node: right.spec.nodeName, right, pod: pods.find(({ spec }) => spec.nodeName === right.spec.nodeName) };
    });
    return planWhy({ slice, slivers, nodes }).join('\n');
  }
  const n1 = aNode('n1');
  const n2 = aNode('n2');

  it('says that all is well', () => {
    assert.equal(why(running(aSlice(), [n1, n2])), 'site/web is Ready: 2 of 2 slivers run.');
  });

  it('says what the queue says', () => {
    const slice = aSlice({ broker: 'queue' });
    const message = 'place 2 of 3, opens at 2030-01-01T10:00:00Z';
    const queued = { ...condition('Queued', 'True', 'Waiting'), message };
    assert.deepEqual(why(anInput({ ...slice, status: { conditions: [queued] } }, [n1, n2])).split('\n'), [
      'site/web is not Ready (WaitingForBroker): 0 of 2 granted; waits for the broker in namespace queue.',
      'The queue in namespace queue says: place 2 of 3, opens at 2030-01-01T10:00:00Z.',
    ]);
  });

  it('names the nodes that refused, and where there is room', () => {
    const slice = aSlice({ resources: { cpu: { shares: 300 } } });
    const resources = { cpu: { shares: 300 } };
    const refused = denied(aRight(slice, 'n1', { resources }), 0, 0, 'InsufficientShares');
    const sln = (name: string, shares: number): SliceNode => {
      const free = { shares, egress: '50M' };
      return {
        apiVersion: 'v',
        kind: 'SliceNode',
        metadata: { name },
        status: { free, conditions: [condition('Ready', 'True', 'Ready')] },
      };
    };
    const nodes = [sln('n1', 120), sln('n2', 299), sln('n3', 300)];
    const text = why(anInput(slice, [n1], { capabilities: [refused] }), [], nodes);
    assert.match(text, /^site\/web is not Ready \(Denied\): 0 of 1 granted; refused by n1/);
    assert.match(text, /n1 refused \(InsufficientShares\): InsufficientShares it is\. Ask for fewer shares/);
    assert.match(text, /It has 120 shares and 50 Mbit\/s left\. There is room on n3\./);
    assert.doesNotMatch(why(anInput(slice, [n1], { capabilities: [refused] })), /room on/);
  });

  it('names everybody who suspends it, and whom to ask', () => {
    const restraints = ['a', 'b'].map((name) => ({
      apiVersion: 'v',
      kind: 'Restraint',
      metadata: { name },
      spec: { namespace: 'site', suspended: true, reason: `floods ${name}`, ...(name === 'b' && { contact: 'noc@b' }) },
    }));
    const text = why(running(aSlice({ suspended: true }), [n1], { restraints }));
    assert.match(text, /Its author suspended it: set spec\.suspended to false\./);
    assert.match(text, /Restraint a suspends it: floods a\. .* ask whoever made it\./);
    assert.match(text, /Restraint b suspends it: floods b\. .* ask noc@b\./);
  });

  it('says which overrides a sliver has, also where all is well', () => {
    const overrides = [{ name: 'big', node: 'n1', resources: {} }];
    const input = running(aSlice({ overrides }), [n1, n2]);
    input.capabilities = input.capabilities.map((one) => {
      const annotations = { 'slice-operator.io/overrides': 'big,one' };
      return one.spec.nodeName === 'n1' ? { ...one, metadata: { ...one.metadata, annotations } } : one;
    });
    assert.match(why(input), /is Ready: .*\nn1 is asked with the overrides big, one\.$/);
  });

  it("has the site's books, and what helps, where its pool is too small", () => {
    const pool = { site: 'site mit', perNode: 10, nodes: 2, others: [], isWaiting: false };
    const text = why(anInput(aSlice({ share: 25 }), [n1, n2], { pool }));
    assert.match(
      text,
      /not Ready \(InsufficientSiteShares\): 0 of 2 .* asks 25 shares on each, site mit has a pool of 20 /,
    );
    assert.match(text, /ask the cluster's owner for a larger pool\.$/);
    assert.doesNotMatch(text, /lower spec.placement.count/);
  });

  it('says what a pod waits for, and who has not answered', () => {
    const slice = aSlice();
    const rights = [granted(aRight(slice, 'n1')), aRight(slice, 'n2')];
    const waiting = { reason: 'ImagePullBackOff', message: 'no such image' };
    const pod: SliverPod = {
      metadata: { name: 'web-1', namespace: 'site' },
      spec: { nodeName: 'n1' },
      status: { phase: 'Pending', containerStatuses: [{ state: { waiting } }] },
    };
    const text = why(anInput(slice, [n1, n2], { capabilities: rights }), [pod]);
    assert.match(text, /n1: the pod web-1 does not run: ImagePullBackOff: no such image\./);
    assert.match(text, /n2 has not answered/);
  });

  it('says that nodes are missing, and how to find out which would do', () => {
    const slice = aSlice({ placement: { count: 3, nodeSelector: { zone: 'a' } } });
    const text = why(anInput(slice, [aNode('n1', { labels: { zone: 'a' } })]));
    assert.match(text, /TooFewNodes/);
    assert.match(text, /3 more of the nodes that it wants are not asked: .*kubectl get nodes -l zone=a\./);
  });

  it('says where no operator has looked at it', () => {
    assert.match(planWhy({ slice: aSlice(), slivers: [], nodes: undefined })[0]!, /no operator has looked/);
  });
});
