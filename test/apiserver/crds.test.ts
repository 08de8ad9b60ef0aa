/** The schemas and the TypeScript rules must come to the same verdicts: the same objects are put before both. */
import assert from 'node:assert/strict';
import { describe as describeViolations, validate } from '../../crds/validate.ts';
import { isStatus } from '../../kube/errors.ts';
import { resourceOf, resourcePath, type KubeObject } from '../../kube/resources.ts';
import { BAD, GOOD } from '../crds/kinds.ts';
import { apiServer, type ApiServer } from './fixture.ts';

/** What only CEL can say; a server without it accepts these, and our programs must not. */
const RULES = new Set([
  'another network than the sliver’s',
  'an override for nothing',
  'an override for a node and a group',
  'an override whose limit is below its guarantee',
  'an override whose guarantee is above the slice’s limit',
  'an override whose limit is below the slice’s guarantee',
  'an override whose limit is below what share guarantees',
  'NodePorts that end before they begin',
  'a guarantee above the limit',
  'a limit below the default guarantee',
  'a window that ends before it starts',
  'resources and share',
  'Spread without a topologyKey',
  'a boot script over 64 KiB in bytes',
  'a boot script and a command',
  'a variable with two values',
  'a volume of no kind',
  'from and redeem',
  'a guarantee above its limit',
  'a range that ends before it begins',
  'a blackout that ends before it starts',
  'no effect',
  'suspended: false alone',
  'a throttle without a limit',
  'a limit and no throttle',
  'a lift above its limit',
  'a period in which it would hardly read',
  'a period in which it is told to read but five times',
  'no source',
  'two sources',
  'a command and no slice',
  'a file and a slice',
  'readers of what is public',
  'a file that streams',
  'a stream of keys',
  'a value of two columns',
  'more than 8192 characters',
  'two columns of one field',
  'eleven labels',
  'a text as a metric',
]);

/** What no rule can say; only our programs judge it. */
const OURS = new Set([
  'more than 256 KiB',
  'a time after the year 9999',
  'an exempt destination that is none',
  'a page at an address that is none',
]);

describe('the API server', () => {
  let server: ApiServer;
  before(async () => {
    server = await apiServer();
  });

  async function verdict(object: KubeObject): Promise<'accepted' | 'refused'> {
    const path = resourcePath(resourceOf(object), { namespace: object.metadata.namespace });
    try {
      await server.client.request('POST', path, { body: object, query: { dryRun: 'All' } });
      return 'accepted';
    } catch (error) {
      if (isStatus(error, 422)) return 'refused';
      throw error;
    }
  }

  for (const [what, object] of GOOD) {
    it(`accepts a ${object.kind} with ${what}`, async () => assert.equal(await verdict(object), 'accepted'));
  }
  for (const [what, object] of BAD) {
    it(`judges a ${object.kind} with ${what}`, async () => {
      const passes = OURS.has(what) || (RULES.has(what) && server.minor < 29);
      const expected = passes ? 'accepted' : 'refused';
      assert.equal(await verdict(object), expected);
    });
  }
  it('and our rules say why', () => {
    for (const [what, object] of BAD) assert.notEqual(describeViolations(validate(object)), '', what);
  });
});
