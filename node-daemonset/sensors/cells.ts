/** Text as rows of cells, read once from left to right: what is too much is refused where it begins, not when all of it is in memory. */
import { SourceError } from './source.ts';

export const MAX_ROWS = 10_000;
/** Of one text, also of columns that nobody wants. */
const MAX_CELLS = 2 ** 18;
const MAX_LINES = 2 ** 16;

/** RFC 4180; a last line may lack its end. Throws SourceError. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cells = 0;
  for (let at = 0; at < text.length;) {
    const { cell, end } = cellAt(text, at, rows.length);
    row.push(cell);
    if (++cells > MAX_CELLS) throw tooMany('cells', MAX_CELLS);
    at = end + 1;
    const isLast = text[end] === ',' && at === text.length;
    if (text[end] === ',' && !isLast) continue;
    if (isLast) row.push('');
    // `\r\n` ends a row as `\n` does
    if (text[end] === '\r') at++;
    if (rows.push(row) > MAX_ROWS + 1) throw tooMany('rows', MAX_ROWS);
    row = [];
  }
  return rows;
}

/** The cell that begins there, and where the comma or the line's end behind it is. */
function cellAt(text: string, at: number, row: number): { cell: string; end: number } {
  const wrong = (): SourceError => new SourceError('NotParsed', `row ${row + 1} is no CSV, at character ${at}`);
  let end: number;
  let cell: string;
  if (text[at] === '"') {
    let quote = text.indexOf('"', at + 1);
    while (quote >= 0 && text[quote + 1] === '"') quote = text.indexOf('"', quote + 2);
    if (quote < 0) throw wrong();
    cell = text.slice(at + 1, quote).replaceAll('""', '"');
    end = quote + 1;
  } else {
    END.lastIndex = at;
    end = END.exec(text)?.index ?? text.length;
    cell = text.slice(at, end);
  }
  const isEnd = end === text.length || text[end] === ',' || text[end] === '\n' || text.startsWith('\r\n', end);
  if (!isEnd) throw wrong();
  return { cell, end };
}

const END = /[,"\r\n]/g;

/** Cells with blanks between, a row a line; empty lines are left out. Throws SourceError. */
export function parseTable(text: string): string[][] {
  const rows: string[][] = [];
  let cells = 0;
  for (const line of linesOf(text)) {
    const row = line.trim().split(/\s+/, MAX_CELLS - cells + 1);
    if (row[0] === '') continue;
    cells += row.length;
    if (cells > MAX_CELLS) throw tooMany('cells', MAX_CELLS);
    if (rows.push(row) > MAX_ROWS + 1) throw tooMany('rows', MAX_ROWS);
  }
  return rows;
}

/** Throws SourceError where there are too many. */
export function* linesOf(text: string, most = MAX_LINES): Generator<string> {
  let count = 0;
  for (let at = 0; at <= text.length;) {
    if (++count > most) throw tooMany('lines', most);
    const end = text.indexOf('\n', at);
    yield text.slice(at, end < 0 ? undefined : end);
    at = end < 0 ? text.length + 1 : end + 1;
  }
}

export function tooMany(what: string, most: number): SourceError {
  return new SourceError('TooLarge', `it has more than ${most} ${what}`);
}
