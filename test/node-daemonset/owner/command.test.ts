import assert from 'node:assert/strict';
import { formatOrders, parseCommand, UsageError } from '../../../node-daemonset/owner/command.ts';

const parse = (text: string) => parseCommand(text.split(' ').filter((one) => one !== ''));

describe('slice-node’s command line', () => {
  it('is read', () => {
    assert.deepEqual(parse('ls'), { do: 'list', json: false });
    assert.deepEqual(parse('ls --json'), { do: 'list', json: true });
    assert.deepEqual(parse('cap none'), { do: 'uncap' });
    assert.deepEqual(parse('suspend site/scanner it probes'), {
      do: 'suspend',
      namespace: 'site',
      slice: 'scanner',
      reason: 'it probes',
    });
    assert.deepEqual(parse('suspend site'), { do: 'suspend', namespace: 'site', slice: undefined, reason: '' });
    assert.deepEqual(parse('resume site/a.b'), { do: 'resume', namespace: 'site', slice: 'a.b' });
    assert.deepEqual([parse(''), parse('--help')], [{ do: 'help' }, { do: 'help' }]);
  });

  it('knows rates as people and as policies write them', () => {
    for (const [text, rate] of [
      ['50Mbit', 50e6],
      ['50Mbit/s', 50e6],
      ['500kbit', 500e3],
      ['1.5Gbit', 1.5e9],
      ['9000bit', 9000],
      ['50M', 50e6],
      ['1e7', 1e7],
    ] as const) {
      assert.deepEqual(parse(`cap ${text} because`), { do: 'cap', egressLimit: rate, reason: 'because' });
    }
  });

  it('refuses what it does not understand, and says what it wants', () => {
    for (const [text, message] of [
      ['stop site/scanner', /there is no "stop"/],
      ['ls all', /nothing but --json/],
      ['cap', /needs a rate/],
      ['cap lots', /is no rate/],
      ['cap 1.2.3Mbit', /is no rate/],
      ['cap -5Mbit', /is no rate/],
      ['cap 0', /use suspend/],
      ['cap 1kbit', /at least 8 kbit/],
      ['suspend', /NAMESPACE\/SLICE/],
      ['suspend Site/x', /NAMESPACE\/SLICE/],
      ['suspend a/b/c', /NAMESPACE\/SLICE/],
      ['suspend ../etc', /NAMESPACE\/SLICE/],
      ['resume a/', /NAMESPACE\/SLICE/],
    ] as const) {
      assert.throws(
        () => parse(text),
        (error: Error) => error instanceof UsageError && message.test(error.message),
        text,
      );
    }
  });

  it('takes no control characters into a reason', () => {
    const { reason } = parseCommand(['suspend', 'site', 'a\u001b[2Jb', 'x'.repeat(500)]) as { reason: string };
    assert.match(reason, /^a \[2Jb x+$/);
    assert.equal(reason.length, 200);
  });

  it('shows what is ordered', () => {
    const since = '2026-11-01T00:00:00Z';
    assert.equal(formatOrders({ cap: undefined, suspended: [] }), '');
    const suspended = [
      { namespace: 'site', slice: 'scanner', since, reason: 'it probes' },
      { namespace: 'lab', slice: undefined, since, reason: '' },
    ];
    assert.equal(
      formatOrders({ cap: { egressLimit: 50e6, since, reason: '' }, suspended }),
      `CAP 50 Mbit/s since ${since}\nSUSPENDED     SINCE                 REASON\nsite/scanner  ${since}  it probes\nlab/*         ${since}\n`,
    );
  });
});
