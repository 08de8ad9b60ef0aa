import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { mergePatch } from '../../../../operator/slice/plan/mergepatch.ts';

/** As RFC 7386 has it. */
function apply(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const object = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  const result = object as Record<string, unknown>;
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = apply(result[key], value);
  }
  return result;
}

describe('a merge patch', () => {
  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 2 }));
  const json = fc.letrec((tie) => ({
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    value: fc.oneof({ maxDepth: 3 }, leaf, tie('object')),
  }));

  it('turns the one object into the other', () => {
    fc.assert(
      fc.property(json.object, json.object, (before, after) => {
        assert.deepEqual(apply(before, mergePatch(before, after) ?? {}), after);
      }),
    );
  });

  it('is none where nothing differs', () => {
    fc.assert(
      fc.property(json.object, (object) => assert.equal(mergePatch(object, structuredClone(object)), undefined)),
    );
  });
});
