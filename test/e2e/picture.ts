/** As much of PNG as a browser's screenshots are: 8 bits, RGB or RGBA, not interlaced. */
import { inflateSync } from 'node:zlib';

export interface Picture {
  width: number;
  height: number;
  /** How many of its pixels have not the colour of the first one, from 0 to 1. */
  drawn: number;
}

/** Throws where it is no such picture. */
export function readPicture(png: Buffer): Picture {
  if (png.toString('latin1', 1, 4) !== 'PNG') throw new Error('it is no PNG');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const [depth, colours, interlaced] = [png[24], png[25], png[28]];
  if (depth !== 8 || (colours !== 2 && colours !== 6) || interlaced !== 0) throw new Error('another kind of PNG');
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const size = colours === 6 ? 4 : 3;
  const pixels = unfiltered(inflateSync(Buffer.concat(parts)), height, width * size, size);
  const first = pixels.subarray(0, size);
  let drawn = 0;
  for (let at = 0; at < pixels.length; at += size) if (!pixels.subarray(at, at + size).equals(first)) drawn++;
  return { width, height, drawn: drawn / (width * height) };
}

/** A row is told by what is left of it and above it (PNG, 9.2). */
function unfiltered(data: Buffer, height: number, stride: number, size: number): Buffer {
  const out = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= size ? out[at - size]! : 0;
      const up = y > 0 ? out[at - stride]! : 0;
      const corner = x >= size && y > 0 ? out[at - stride - size]! : 0;
      const by = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      out[at] = data[y * (stride + 1) + 1 + x]! + by;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
