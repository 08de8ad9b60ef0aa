/**
 * Members of a gzip file, each with its length in its header as BGZF has it: `zcat` reads the whole, and we read it member
 * by member, so that damage in one takes nothing from those before it.
 */
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32, deflateRaw, gunzip } from 'node:zlib';

const deflate = promisify(deflateRaw);
const inflate = promisify(gunzip);

/** Magic, deflate, an extra field; no time, Unix; its size; ours, with 4 bytes: the length of the whole member. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 8, 0, 0x53, 0x4f, 4, 0, 0, 0, 0, 0]);
const LENGTH_AT = 16;
const TRAILER = 8;
/** More than any drain: what claims to be longer is damaged, and so is what unpacks to more. */
const MAX_MEMBER = 64 * 1024 * 1024;
const MAX_TEXT = 128 * 1024 * 1024;

/** One member with this text. */
export async function packMember(text: string): Promise<Buffer> {
  const bytes = Buffer.from(text);
  const data = await deflate(bytes);
  const member = Buffer.concat([HEADER, data, Buffer.alloc(TRAILER)]);
  member.writeUInt32LE(member.length, LENGTH_AT);
  member.writeUInt32LE(crc32(bytes), member.length - 8);
  member.writeUInt32LE(bytes.length >>> 0, member.length - 4);
  return member;
}

/** The texts of a file's members, as far as they are whole; `torn` is called where that is not to its end. */
export async function* readMembers(path: string, torn: () => void): AsyncGenerator<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    for (let at = 0; at < size;) {
      const header = Buffer.alloc(HEADER.length);
      await file.read(header, 0, HEADER.length, at);
      const length = header.readUInt32LE(LENGTH_AT);
      const isOurs = header.subarray(0, LENGTH_AT).equals(HEADER.subarray(0, LENGTH_AT));
      if (!isOurs || length < HEADER.length + TRAILER || length > Math.min(MAX_MEMBER, size - at)) {
        torn();
        return;
      }
      const member = Buffer.alloc(length);
      await file.read(member, 0, length, at);
      let text: string;
      try {
        text = (await inflate(member, { maxOutputLength: MAX_TEXT })).toString();
      } catch {
        torn();
        return;
      }
      yield text;
      at += length;
    }
  } finally {
    await file.close();
  }
}
