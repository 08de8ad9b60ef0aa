import assert from 'node:assert/strict';
import { parseMinor } from '../cluster/binaries.ts';
import { kindConfig } from '../cluster/kind.ts';
import { patchAuthority, sourceEntries } from '../cluster/source.ts';

describe("harness: Kubernetes' programs", () => {
  it('reads the minor version, whatever is appended to it', () => {
    assert.equal(parseMinor('Kubernetes v1.20.2'), 20);
    assert.equal(parseMinor('Kubernetes v1.36.0-alpha.1+abc'), 36);
    assert.throws(() => parseMinor('etcd 3.4'), /no version/);
  });

  it('asks the same repositories for sources', () => {
    const entries = sourceEntries('Types: deb\nURIs: a\n\nTypes: deb\nURIs: b\n');
    assert.equal(entries, 'Types: deb-src\nURIs: a\n\nTypes: deb-src\nURIs: b\n');
  });

  it('patches the gRPC client that it was made for, and refuses another', () => {
    const line = '\t\tcc.authority = cc.parsedTarget.Endpoint\n';
    assert.match(
      patchAuthority(`a\n${line}\t}\n`),
      /HasPrefix\(cc\.authority, "\/"\) \{\n\t\t\tcc\.authority = "localhost"/,
    );
    assert.throws(() => patchAuthority('other code'), /not the one/);
  });

  it('describes a kind cluster with its workers', () => {
    const { nodes } = JSON.parse(kindConfig(2)) as { nodes: { role: string }[] };
    assert.deepEqual(
      nodes.map(({ role }) => role),
      ['control-plane', 'worker', 'worker'],
    );
  });
});
