import assert from 'node:assert/strict';
import { CONTROLLERS, readControllers } from '../../operator/controllers.ts';

describe('--controllers', () => {
  const cases: [string, readonly string[]][] = [
    ['*', CONTROLLERS],
    ['*,-slice', CONTROLLERS.filter((one) => one !== 'slice')],
    ['-broker,*', CONTROLLERS.filter((one) => one !== 'broker')],
    ['node, slice', ['slice', 'node']],
    ['slice,-slice,*', CONTROLLERS],
    ['-slice,slice,*', CONTROLLERS.filter((one) => one !== 'slice')],
    ['-slice', []],
    ['', []],
  ];
  for (const [text, wanted] of cases) {
    it(`${JSON.stringify(text)} is ${wanted.join(', ') || 'none'}`, () =>
      assert.deepEqual([...readControllers(text)], wanted));
  }

  it('has no others, and says which there are', () => {
    for (const text of ['queue', '-queue', '**', '-*', '*,Slice']) {
      assert.throws(() => readControllers(text), /there is no controller ".*"; there are slice, broker, /);
    }
  });
});
