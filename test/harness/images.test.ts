import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describeImage, type Blob } from '../cluster/oci.ts';
import { merged, parseLibraries } from '../cluster/rootfs.ts';

const layer = (n: number): Blob => ({ digest: `sha256:${String(n).repeat(64)}`, size: n * 100 });

interface Manifest {
  config: { digest: string; size: number };
  layers: { digest: string; size: number }[];
}

describe('harness: images put together by hand', () => {
  const image = describeImage('registry.local/x', [layer(1), layer(2)], { cmd: ['a'], user: '65532' }, 'amd64');

  it('names every blob once, in a chain of true digests from the index to the layers', () => {
    const index = JSON.parse(image.index) as { manifests: { digest: string; size: number }[] };
    const text = new Map(image.documents.map((document) => [document.digest, document.text]));
    for (const [digest, content] of text) {
      assert.equal(digest, `sha256:${createHash('sha256').update(content).digest('hex')}`);
    }
    const entry = index.manifests[0]!;
    assert.equal(entry.size, Buffer.byteLength(text.get(entry.digest)!));
    const manifest = JSON.parse(text.get(entry.digest)!) as Manifest;
    assert.deepEqual(
      manifest.layers.map(({ digest, size }) => ({ digest, size })),
      [layer(1), layer(2)],
    );
    const configuration = JSON.parse(text.get(manifest.config.digest)!) as { rootfs: { diff_ids: string[] } };
    assert.deepEqual(configuration.rootfs.diff_ids, [layer(1).digest, layer(2).digest]);
    assert.equal(new Set(image.blobs.map(({ digest }) => digest)).size, 4);
  });

  it('is named by its content, so that an edited source is another image', () => {
    const other = describeImage('registry.local/x', [layer(1), layer(3)], { cmd: ['a'], user: '65532' }, 'amd64');
    assert.match(image.name, /^registry\.local\/x:[0-9a-f]{12}$/);
    assert.notEqual(other.name, image.name);
    assert.equal(describeImage('registry.local/x', [layer(1)], {}, 'amd64', '1').name, 'registry.local/x:1');
  });

  it('reads the libraries of several programs out of ldd', () => {
    const output = `/usr/bin/a:
\tlinux-vdso.so.1 (0x00007ffd)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f00)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f01)
/usr/bin/b:
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f02)
\tlibgone.so => not found
`;
    assert.deepEqual(parseLibraries(output), ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
  });

  it('puts everything under /usr, where /bin and /lib are links to', () => {
    assert.equal(merged('/lib/x/libc.so.6'), '/usr/lib/x/libc.so.6');
    assert.equal(merged('/lib64/ld.so'), '/usr/lib64/ld.so');
    assert.equal(merged('/usr/bin/tc'), '/usr/bin/tc');
    assert.equal(merged('/library/x'), '/library/x');
  });
});
