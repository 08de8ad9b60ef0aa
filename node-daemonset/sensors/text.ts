/** Bytes that sensors wrote, as text and as lines: bounded, and refused where they are no text. */
import { StringDecoder } from 'node:string_decoder';
import { SourceError } from './source.ts';

/** What one reading may have. */
export const MAX_OUTPUT = 2 ** 20;
/** What one row of a stream may have, and what a stream may have in a second. */
const MAX_LINE = 65_536;
const MAX_BYTES_A_SECOND = 2 ** 20;
const MAX_ROWS_A_SECOND = 1_000;

/** Throws SourceError NotText for what is not UTF-8, or has a zero in it. */
export function textOf(bytes: Buffer): string {
  if (bytes.includes(0)) throw new SourceError('NotText', 'its output has a zero byte: it is no text');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new SourceError('NotText', 'its output is no UTF-8');
  }
}

/** Collects what comes, up to a bound. */
export class Collected {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  /** Throws SourceError TooLarge. */
  add(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > MAX_OUTPUT) throw new SourceError('TooLarge', `its output has more than ${MAX_OUTPUT} bytes`);
    this.#chunks.push(chunk);
  }

  text(): string {
    return textOf(Buffer.concat(this.#chunks));
  }
}

/** Makes lines of what comes. */
export class Lines {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #second = -1;
  #bytes = 0;
  #rows = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** Throws SourceError for what is no text, or more than anybody would read; `now` in ms. */
  add(chunk: Buffer, now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) [this.#second, this.#bytes, this.#rows] = [second, 0, 0];
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BYTES_A_SECOND) {
      throw new SourceError('TooLarge', `it writes more than ${MAX_BYTES_A_SECOND} bytes a second`);
    }
    const text = this.#decoder.write(chunk);
    if (text.includes('\0') || text.includes('\uFFFD')) throw new SourceError('NotText', 'its output is no UTF-8 text');
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > MAX_LINE || lines.some((line) => line.length > MAX_LINE)) {
      throw new SourceError('TooLarge', `a line of it has more than ${MAX_LINE} characters`);
    }
    this.#rows += lines.length;
    if (this.#rows > MAX_ROWS_A_SECOND) {
      throw new SourceError('TooLarge', `it writes more than ${MAX_ROWS_A_SECOND} rows a second`);
    }
    for (const line of lines) this.#onLine(line.replace(/\r$/, ''));
  }
}
