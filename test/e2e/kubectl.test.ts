/** The plugin on a real cluster: what needs slivers and node managers that run. */
import assert from 'node:assert/strict';
import { delimiter, dirname } from 'node:path';
import type { Slice } from '../../crds/types.ts';
import { kubectlProgram } from '../chart/helm.ts';
import { run } from '../cluster/command.ts';
import { BUNDLE } from '../operator/kubectl/bundle.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf, whenReady } from './slices.ts';

const NAMESPACE = 'plugin';

describe('kubectl slice, on a cluster', () => {
  let product: Product;
  let slice: Slice;
  const plugin = (...argv: string[]): Promise<string> => {
    const env = { PATH: [dirname(kubectlProgram()), process.env.PATH].join(delimiter) };
    return run([process.execPath, BUNDLE, `--kubeconfig=${product.kubeconfig}`, '-n', NAMESPACE, ...argv], {
      env,
      timeoutMs: 180_000,
    });
  };

  before(async () => {
    product = await sharedProduct();
    await freshNamespace(product, NAMESPACE);
    slice = sliceOf(product, NAMESPACE, 'hello', { share: 50 });
    await product.apply(slice);
    await whenReady(product, slice);
  });
  after(() => dropNamespace(product, NAMESPACE));

  it('says that a slice is ready', async () => {
    assert.match(await plugin('why', 'hello'), /^plugin\/hello is Ready: 2 of 2 slivers run\.\n$/);
    assert.match(await plugin('ls'), /^plugin\/hello +True +AllRunning +2\/2 +2\/2 +-$/m);
  });

  it('shows what it was promised and got', async () => {
    const text = await plugin('top', 'hello', '--once', '--interval=1');
    for (const node of NODES) {
      assert.match(
        text,
        new RegExp(
          `^plugin/hello +${node} +entitled +50 +5\\.0 % +[\\d.]+ % +5 Mbit/s +10 Mbit/s +\\S+ \\S*bit/s$`,
          'm',
        ),
      );
    }
  });

  it('runs a command in all of its slivers, or in that of one node', async () => {
    const all = await plugin('exec', 'hello', '--all', '--', 'echo', 'it', 'is me');
    assert.deepEqual(
      all.trim().split('\n').toSorted(),
      NODES.map((node) => `${node}: it is me`),
    );
    assert.equal(await plugin('exec', 'hello', '--node=node2', '--', 'echo', 'me'), 'me\n');
  });

  it('asks for who sent what', async () => {
    assert.match(await plugin('audit', 'hello'), /^node,kind,first,last,namespace,slice,/);
  });

  it('asks the sensors of all nodes, and of one', async () => {
    const text = await plugin('sensors', 'load');
    for (const node of NODES) assert.match(text, new RegExp(`^${node},[\\d.]+,`, 'm'));
    assert.match(text, /^node,load1,/);
    assert.match(await plugin('sensors', '--node=node2'), /^node2,load,/m);
    assert.doesNotMatch(await plugin('sensors', '--node=node2'), /^node1,/m);
  });

  it('has the words of slice-dump', async () => {
    await assert.rejects(plugin('dump', 'hello', '--', '--nonsense'), /slice-dump/);
  });
});
