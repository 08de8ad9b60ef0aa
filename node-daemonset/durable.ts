/** Files that are on the disk when the call returns, and are never seen half written. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The steps of a durable write, so that tests can fail at each of them. */
export interface Disk {
  open(path: string, flags: string): number;
  write(file: number, text: string): void;
  sync(file: number): void;
  close(file: number): void;
  rename(from: string, to: string): void;
}

export const DISK: Disk = {
  open: (path, flags) => openSync(path, flags, 0o600),
  write: (file, text) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  },
  sync: fsyncSync,
  close: closeSync,
  rename: renameSync,
};

/** Replaces a file as a whole: afterwards it is the new one, after a crash midway the old one or the new one. */
export function replaceFile(path: string, text: string, disk: Disk = DISK): void {
  const temporary = `${path}.new`;
  withFile(disk, temporary, 'w', (file) => {
    disk.write(file, text);
    disk.sync(file);
  });
  disk.rename(temporary, path);
  syncDirectory(dirname(path), disk);
}

/** Appends to a file. After a crash midway its last line may be cut. */
export function appendFile(path: string, text: string, disk: Disk = DISK): void {
  withFile(disk, path, 'a', (file) => {
    disk.write(file, text);
    disk.sync(file);
  });
}

/** A rename or a new file lasts only when its directory is on the disk too. */
export function syncDirectory(path: string, disk: Disk = DISK): void {
  withFile(disk, path, 'r', (file) => disk.sync(file));
}

function withFile(disk: Disk, path: string, flags: string, use: (file: number) => void): void {
  const file = disk.open(path, flags);
  try {
    use(file);
  } finally {
    disk.close(file);
  }
}
