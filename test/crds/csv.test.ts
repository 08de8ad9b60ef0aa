import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { csvRecord } from '../../crds/csv.ts';

/** A reader of RFC 4180, to the letter. */
function parse(text: string): string[][] {
  const records: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const record: string[] = [];
    for (;;) {
      let value = '';
      if (text[at] === '"') {
        for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
          assert.ok(at < text.length, 'a quote is not closed');
          if (text[at] === '"') at++;
          value += text[at];
        }
        at++;
      } else {
        while (at < text.length && !',\r\n"'.includes(text[at]!)) value += text[at++];
      }
      record.push(value);
      if (text[at] !== ',') break;
      at++;
    }
    assert.equal(text.slice(at, at + 2), '\r\n');
    at += 2;
    records.push(record);
  }
  return records;
}

describe('CSV', () => {
  it('is read back as it was written, whatever is in it', () => {
    const cell = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a"b', 'a,b', 'a\r\nb', '"', ',', '\n'));
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 5 }), { maxLength: 5 }), (records) => {
        const text = records.map(csvRecord).join('');
        const shown = records.map((record) => record.map((one) => (/^[=+\-@\t\r]/.test(one) ? `'${one}` : one)));
        assert.deepEqual(parse(text), shown);
      }),
    );
  });

  it('computes nothing in a spreadsheet', () => {
    assert.equal(csvRecord(['=1+1', '@SUM(A1)', '+49 30 1', '-1', -1]), "'=1+1,'@SUM(A1),'+49 30 1,'-1,-1\r\n");
  });
});
