/** What sensors write, as rows. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { SensorColumn } from '../../../crds/types.ts';
import { csvRecord } from '../../../crds/csv.ts';
import { parseCsv } from '../../../node-daemonset/sensors/cells.ts';
import { lineParser, parseText } from '../../../node-daemonset/sensors/parse.ts';
import type { Work } from '../../../node-daemonset/sensors/agents.ts';
import { Allowance } from '../../../node-daemonset/sensors/allowance.ts';
import { CustomSource } from '../../../node-daemonset/sensors/custom.ts';
import type { Sliver } from '../../../node-daemonset/sliver.ts';
import { Collected, Lines } from '../../../node-daemonset/sensors/text.ts';
import { sensorOf, sliverOf } from './world.ts';

const columns: SensorColumn[] = [
  { name: 'name', type: 'string' },
  { name: 'size', type: 'integer', field: 'Size' },
  { name: 'at', type: 'time' },
];
const shape = { columns, heading: false };

describe('text of sensors', () => {
  it('is CSV with its columns in any order, quoted or not', () => {
    const text = 'Size,extra,name\r\n"12 kB",x,"a ""b"", c"\r\n,,\n';
    assert.deepEqual(parseText(text, { ...shape, format: 'CSV' }), [
      ['a "b", c', 12, null],
      ['', null, null],
    ]);
  });

  it('is what csvRecord wrote', () => {
    const cell = fc.string().map((text) => text.replace(/^[=+\-@\t\r]+/, ''));
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 })), (rows) => {
        assert.deepEqual(parseCsv(rows.map(csvRecord).join('')), rows);
      }),
    );
  });

  it('is JSON, as an array or a line each', () => {
    const rows = [{ name: 'a', Size: 1.5, at: '2026-01-02T03:04:05+01:00' }, { Size: '7' }];
    const expected = [
      ['a', null, '2026-01-02T02:04:05.000Z'],
      [null, 7, null],
    ];
    assert.deepEqual(parseText(JSON.stringify(rows), { ...shape, format: 'JSON' }), expected);
    const lines = rows.map((row) => JSON.stringify(row)).join('\n');
    assert.deepEqual(parseText(lines, { ...shape, format: 'JSON' }), expected);
  });

  it('is keys and values, whatever is between them', () => {
    for (const text of ['Size:   16384 kB\nname:x\n', 'Size = 16384\nname = x', 'Size 16384\nname x\n']) {
      assert.deepEqual(parseText(text, { ...shape, format: 'KeyValue' }), [['x', 16384, null]], text);
    }
  });

  it('is keys and values in one pass, however many blanks there are', () => {
    // a pattern with two open ends takes a quarter of an hour for this
    const blanks = `a${' '.repeat(2 ** 20 - 8)}b`;
    for (const text of [`${blanks}\nname=x`, `name=x\n${'\t'.repeat(2 ** 19)}`, `name\t=${' '.repeat(2 ** 19)}x`]) {
      assert.deepEqual(parseText(text, { ...shape, format: 'KeyValue' })[0]![0], 'x');
    }
  });

  it('is a table, by its headings or by the numbers of columns', () => {
    assert.deepEqual(parseText(' name Size\n a   1\n\n b   2\n', { columns, heading: true, format: 'Table' }), [
      ['a', 1, null],
      ['b', 2, null],
    ]);
    const numbered: SensorColumn[] = [{ name: 'third', type: 'integer', field: '3' }];
    assert.deepEqual(parseText('8 0 sda\n8 1 5\n', { columns: numbered, heading: false, format: 'Table' }), [
      [null],
      [5],
    ]);
  });

  it('is one value', () => {
    assert.deepEqual(
      parseText(' 60\n', { columns: [{ name: 'v', type: 'integer' }], heading: false, format: 'Value' }),
      [[60]],
    );
  });

  it('is refused where it is something else', () => {
    for (const [format, text] of [
      ['CSV', ''],
      ['CSV', 'other\n1\n'],
      ['CSV', 'name\n"open\n'],
      ['JSON', '{'],
      ['JSON', '[1]'],
      ['KeyValue', 'nothing: here'],
    ] as const) {
      assert.throws(() => parseText(text, { ...shape, format }), { word: 'NotParsed' }, `${format} ${text}`);
    }
    const many = `name\n${'x\n'.repeat(10_001)}`;
    assert.throws(() => parseText(many, { ...shape, format: 'CSV' }), { word: 'TooLarge' });
  });

  it('comes line by line as a stream', () => {
    const parse = lineParser({ ...shape, format: 'CSV' });
    assert.deepEqual(['Size,name', '1,a', '', '2,b'].map(parse), [
      undefined,
      ['a', 1, null],
      undefined,
      ['b', 2, null],
    ]);
  });
});

describe('too much of what is nearly nothing', () => {
  const all = (piece: string): string => piece.repeat(2 ** 20 / piece.length);
  for (const [format, piece] of [
    ['CSV', ','],
    ['CSV', '\n'],
    ['CSV', 'a,b,c,d\n'],
    ['Table', 'a '],
    ['Table', 'a\n'],
    ['Table', ' \n'],
    ['KeyValue', '\n'],
    ['JSON', '1\n'],
  ] as const) {
    it(`is refused where it begins: ${format} of ${JSON.stringify(piece)}`, () => {
      assert.throws(() => parseText(all(piece), { ...shape, format }), { word: 'TooLarge' });
    });
  }

  it('is not what one namespace may have read all the time', async () => {
    const text = `value\n${'1 \n'.repeat(9_000)}`;
    const agents = { run: async (_: string, { onOutput }: Work) => onOutput(Buffer.from(text)) };
    const sliver = (): Sliver => sliverOf('probe');
    const sensor = sensorOf('x', { slice: 'probe', command: { argv: ['x'] } });
    const parsing = new Allowance(0, 2 * text.length, 0);
    const source = new CustomSource(sensor, { agents, sliver, now: Date.now, parsing });
    const read = () => source.read([], { kind: 'node' }, new AbortController().signal);
    assert.equal((await read()).rows.length, 9_000);
    await read();
    await assert.rejects(read(), { word: 'TooLarge' });
  });
});

describe('bytes of sensors', () => {
  it('are bounded as one reading and as a stream', () => {
    const collected = new Collected();
    assert.throws(
      () => {
        for (let i = 0; i < 20; i++) collected.add(Buffer.alloc(65_536, 'x'));
      },
      { word: 'TooLarge' },
    );
    const flood = (chunk: string): void => {
      const lines = new Lines(() => undefined);
      for (let i = 0; i < 200; i++) lines.add(Buffer.from(chunk), 0);
    };
    assert.throws(() => flood('x'.repeat(10_000)), { word: 'TooLarge' });
    assert.throws(() => flood('x\n'.repeat(10)), { word: 'TooLarge' });
    assert.throws(() => flood('\0'), { word: 'NotText' });
    assert.throws(() => new Lines(() => undefined).add(Buffer.from([0xff]), 0), { word: 'NotText' });
  });

  it('may be cut anywhere, within a character too', () => {
    const seen: string[] = [];
    const lines = new Lines((line) => seen.push(line));
    for (const byte of Buffer.from('é=1\r\nß=2\n')) lines.add(Buffer.from([byte]), 0);
    assert.deepEqual(seen, ['é=1', 'ß=2']);
  });
});
