/** How the shim rewrites packets: compiled with the sanitizers, it is given packets of all kinds. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DRIVER = fileURLToPath(new URL('sockets-translate.c', import.meta.url));
const CLIENT = fileURLToPath(new URL('../../node-daemonset/sockets/client', import.meta.url));

describe('ports and identifiers that the shim rewrites', () => {
  it('come back as they were, and no packet leads beyond its end', () => {
    const directory = mkdtempSync(join(tmpdir(), 'translate-'));
    try {
      const program = join(directory, 'translate');
      const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-g', '-O1', '-Wall', '-Werror'];
      const sources = [DRIVER, join(CLIENT, 'translate.c')];
      execFileSync('gcc', [...sanitize, `-I${CLIENT}`, '-o', program, ...sources]);
      // a test host may forbid what finding leaks takes; nothing is allocated there anyhow
      const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };
      assert.equal(execFileSync(program, { encoding: 'utf8', env }), 'ok\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
