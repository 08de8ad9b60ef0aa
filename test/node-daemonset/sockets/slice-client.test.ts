/** The client for Node as slivers find it: a file by itself, beside a program with packages of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Opened, SocketRequest } from '../../../node-daemonset/sockets/client/slice.ts';
import type { Opened as OwnOpened, SocketRequest as OwnRequest } from '../../../node-daemonset/sockets/request.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('the client for Node', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'slice-client-'));
    mkdirSync(join(directory, 'run/slice/lib'), { recursive: true });
    mkdirSync(join(directory, 'app/node_modules'), { recursive: true });
    copyFileSync(join(ROOT, 'node-daemonset/sockets/client/slice.ts'), join(directory, 'run/slice/lib/slice.ts'));
    symlinkSync(join(ROOT, 'node_modules/koffi'), join(directory, 'app/node_modules/koffi'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('takes koffi from the program that imports it', () => {
    const program = `
      import { openRawSocket } from '${directory}/run/slice/lib/slice.ts';
      const request = { open: 'raw', protocol: 'tcp', family: 4, port: 'any', headerIncluded: false };
      await openRawSocket(request, '${directory}/nothing').catch((error) => console.log(error.name, error.code));`;
    writeFileSync(join(directory, 'app/probe.mjs'), program);
    const printed = execFileSync('node', [join(directory, 'app/probe.mjs')], { encoding: 'utf8', timeout: 30_000 });
    assert.equal(printed.trim(), 'SliceError ENOENT');
  });

  it('speaks of requests as the node manager does', () => {
    // compared by the compiler
    const there = (request: SocketRequest): OwnRequest => request;
    const back = (opened: OwnOpened): Opened => opened;
    assert.equal(back(there({ open: 'audit' })).open, 'audit');
  });
});
