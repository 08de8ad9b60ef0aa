/** What the plugin asks kubectl, and what it makes of the answers: others may have written them. */
import assert from 'node:assert/strict';
import { parseArguments, UsageError } from '../../../operator/kubectl/arguments.ts';
import { RUN } from '../../../operator/kubectl/commands.ts';
import { type Kubectl, KubectlError } from '../../../operator/kubectl/run.ts';

type Answer = string | object | Error;

const ESCAPES = '\u001b]0;owned\u0007\u001b[2J\u001b[31m';
const bindingsOf = (...namespaces: string[]): object => ({
  items: namespaces.map((namespace) => ({ subjects: [{ kind: 'ServiceAccount', name: 'a', namespace }] })),
});
const podOn = (node: string): object => {
  const metadata = { name: `manager-${node}`, namespace: 'slices' };
  return { metadata, spec: { nodeName: node }, status: { phase: 'Running' } };
};
/** As the cluster of these tests is: a release in `slices`, two nodes. */
const CLUSTER: Readonly<Record<string, Answer>> = {
  'get clusterrolebindings': bindingsOf('slices', 'slices'),
  'get pods --namespace slices': { items: [podOn('n2'), podOn('n1')] },
  'get services --namespace slices': { items: [{ metadata: { name: 'slice-operator-audit', namespace: 'slices' } }] },
  'get slicenodes': { items: [] },
  'config view': 'site\n',
};

async function run(line: string, more: Readonly<Record<string, Answer>> = {}) {
  const asked: string[] = [];
  const known = Object.entries({ ...CLUSTER, ...more });
  const kubectl: Kubectl = {
    async read(...argv) {
      const text = argv.join(' ');
      asked.push(text);
      const answer = known.findLast(([start]) => text.startsWith(start))?.[1];
      if (answer === undefined || answer instanceof Error) throw answer ?? new KubectlError(`no answer to ${text}`);
      return typeof answer === 'string' ? answer : JSON.stringify(answer);
    },
    show: async () => 0,
  };
  const args = parseArguments(line.split(' '));
  const [out, err]: string[][] = [[], []];
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (text) => err!.push(String(text)) > 0;
  try {
    const code = await RUN[args.command](kubectl, args, (text) => out!.push(text));
    return { code, asked, out: out!.join(''), err: err!.join('') };
  } finally {
    process.stderr.write = write;
  }
}

describe('kubectl slice asks the product', () => {
  const audit = { 'get --raw': 'node,slice\r\nn1,site/web\r\n' };

  it('in the namespace that its ClusterRoleBindings name, whoever has the same labels elsewhere', async () => {
    for (const line of ['audit', 'top --once --interval=0.5']) {
      const { asked } = await run(line, { ...audit, exec: { time: 0, slivers: [] } });
      assert.ok(asked.some((one) => one.startsWith('get clusterrolebindings --selector ')));
      const found = asked.filter((one) => /^get (pods|services) /.test(one));
      assert.ok(found.length > 0 && found.every((one) => one.includes(' --namespace slices ')), found.join('\n'));
    }
  });

  it('where it is told, without a right to ClusterRoleBindings', async () => {
    const forbidden = { 'get clusterrolebindings': new KubectlError('clusterrolebindings is forbidden') };
    await assert.rejects(run('audit', { ...audit, ...forbidden }), /may not be read: give --release-namespace/);
    assert.match((await run('audit --release-namespace=slices', { ...audit, ...forbidden })).out, /^n1,site\/web$/m);
  });

  it('not at all where it can not be told which it is', async () => {
    await assert.rejects(run('audit', { 'get clusterrolebindings': bindingsOf() }), /no release is found/);
    await assert.rejects(run('audit', { 'get clusterrolebindings': bindingsOf('a', 'b') }), /releases in a, b: give/);
  });
});

describe('kubectl slice audit', () => {
  const audit = { 'get --raw': `a,b\r\n1,${ESCAPES}\r\n` };
  const sliceAsked = async (line: string): Promise<string | null> => {
    const { asked } = await run(line, audit);
    return new URL(asked.at(-1)!.split(' ').at(-1)!, 'http://a').searchParams.get('slice');
  };

  it('asks for the slice of one namespace', async () => {
    assert.equal(await sliceAsked('audit web -n lab'), 'lab/web');
    assert.equal(await sliceAsked('audit web'), 'site/web');
    assert.equal(await sliceAsked('audit a/web -n lab'), 'a/web');
    assert.equal(await sliceAsked('audit web -A'), 'web');
    assert.equal(await sliceAsked('audit'), null);
    await assert.rejects(run('audit a/b/c'), UsageError);
    await assert.rejects(run('audit -n lab'), UsageError);
    await assert.rejects(run('audit web', { 'config view': new KubectlError('no context') }), /give --namespace/);
  });

  it('lets nobody’s words move the cursor', async () => {
    assert.equal((await run('audit', audit)).out, 'a,b\n1, ]0;owned [2J [31m\n');
  });
});

describe('kubectl slice why', () => {
  const message = '0 of 1 granted; waits for the broker in namespace queue';
  const waiting = { type: 'Ready', status: 'False', reason: 'WaitingForBroker', message };
  const answers = {
    'get slices.slice-operator.io waits': {
      metadata: { name: 'waits', namespace: 'lab', generation: 1 },
      spec: { broker: 'queue' },
      status: { observedGeneration: 1, conditions: [waiting] },
    },
    'get resourcecapabilities.slice-operator.io --namespace lab': { items: [] },
    'get pods --namespace lab': { items: [] },
  };
  const saw = async (more: Readonly<Record<string, Answer>>) =>
    (await run('why waits -n lab', { ...answers, ...more })).out.split('\n')[1];

  it('looks for the broker, as far as the asker may', async () => {
    const gone = new KubectlError('Error from server (NotFound): namespaces "queue" not found');
    assert.match((await saw({ 'get namespaces queue': gone }))!, /^There is no namespace queue/);
    const there = { 'get namespaces queue': 'namespace/queue\n' };
    assert.match((await saw({ ...there, 'get pods --namespace queue': { items: [] } }))!, /^No pod runs in namespace/);
    const forbidden = new KubectlError('pods is forbidden');
    assert.match((await saw({ ...there, 'get pods --namespace queue': forbidden }))!, /Is there a namespace/);
    const runs = await saw({ ...there, 'get pods --namespace queue': { items: [podOn('n1')] } });
    assert.match(runs!, /^The broker has said nothing of it\. Does it .* RoleBinding .* in namespace lab\?/);
    await assert.rejects(saw({ 'get namespaces queue': new KubectlError('connection refused') }), /refused/);
  });
});

describe('kubectl slice sensors', () => {
  const reading = (names: readonly string[], ...rows: (string | number)[][]): object => {
    return { columns: names.map((name) => ({ name, type: name === 'extra' ? 'integer' : 'string' })), rows, time: 1 };
  };

  it('puts together what nodes with other columns say, under one heading', async () => {
    const { out, code, asked } = await run('sensors lab.probe a/b', {
      'exec --namespace slices manager-n1': reading(['namespace', 'text'], ['lab', 'a"\r\nsite,forged']),
      'exec --namespace slices manager-n2': reading(['text', 'extra'], ['b', 7]),
    });
    assert.equal(out, 'node,namespace,text,extra,error\r\nn1,lab,"a"" site,forged",,\r\nn2,,b,7,\r\n');
    assert.equal(code, 0);
    assert.match(asked.at(-1)!, / http:\/\/127\.0\.0\.1:33080\/lab\.probe\/a%2Fb\.json$/);
  });

  it('names the node that does not answer, and shows the others', async () => {
    const { out, err, code } = await run('sensors load', {
      'exec --namespace slices manager-n1': new KubectlError(`404 ${ESCAPES}`),
      'exec --namespace slices manager-n2': reading(['text'], ['b']),
    });
    assert.equal(out, 'node,text,error\r\nn2,b,\r\nn1,,404  ]0;owned [2J [31m\r\n');
    assert.equal(err, 'n1: 404  ]0;owned [2J [31m\n');
    assert.equal(code, 1);
  });
});

describe('kubectl slice top', () => {
  const sliver = { pod: 'p', standing: 'entitled', shares: 1, guarantee: 1, limit: 1, cpuTime: 1, bytesSent: 1 };
  const slivers = ['site', 'lab'].map((namespace) => ({ ...sliver, pod: namespace, namespace, slice: 'web' }));
  const answers = {
    'exec --namespace slices manager-n1': { time: 1, slivers },
    'exec --namespace slices manager-n2': new KubectlError(`gone ${ESCAPES}`),
  };
  const slices = (text: string): string[] => [...text.matchAll(/^(\w+\/\w+) /gm)].map(([, name]) => name!);

  it('shows the other nodes where one does not answer', async () => {
    const { out, err, code } = await run('top --once --interval=0.5', answers);
    assert.deepEqual(slices(out), ['lab/web', 'site/web']);
    assert.equal(err, 'n2: gone  ]0;owned [2J [31m\n');
    assert.equal(code, 1);
  });

  it('shows a slice of the present namespace, or of that which is named, or of all', async () => {
    for (const [words, expected] of [
      ['web', ['site/web']],
      ['lab/web', ['lab/web']],
      ['web -A', ['lab/web', 'site/web']],
      ['-n lab', ['lab/web']],
    ] as const) {
      assert.deepEqual(slices((await run(`top ${words} --once --interval=0.5`, answers)).out), expected, words);
    }
  });
});
