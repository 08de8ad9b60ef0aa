import assert from 'node:assert/strict';
import { readCrd, schemaOf } from '../../crds/schemas.ts';
import { findUnknown } from '../../crds/unknown.ts';

const SPEC = schemaOf(readCrd('slice.yaml')).properties!['spec']!;

describe('fields that a schema does not have', () => {
  for (const [value, path] of [
    [{ contact: 'a', shares: 1 }, 'shares'],
    [{ resources: { cpu: { sharess: 1 } } }, 'resources.cpu.sharess'],
    [{ resources: { ports: [{ protocol: 'TCP', port: 1 }, { prot: 'TCP' }] } }, 'resources.ports[1].prot'],
    [{ placement: { nodeSelector: { whatever: 'x' } } }, undefined],
    [{ constructor: 1 }, 'constructor'],
    ['text', undefined],
    [null, undefined],
  ] as const) {
    it(`${JSON.stringify(value)} has ${path ?? 'none'}`, () => assert.equal(findUnknown(value, SPEC)?.path, path));
  }
});
