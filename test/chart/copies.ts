/**
 * The chart's copies of the CRDs: Helm reads no file outside its chart, and follows no link out of it.
 * `node test/chart/copies.ts` writes them, with `--check` it only says whether they are the same.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CRD_FILES } from '../../crds/schemas.ts';

const SOURCE = fileURLToPath(new URL('../../crds', import.meta.url));
const COPIES = fileURLToPath(new URL('../../charts/slice-operator/files/crds', import.meta.url));

/** The CRDs whose copies in the chart differ from them or are missing. */
export function differingCopies(): string[] {
  return CRD_FILES.filter((file) => {
    const copy = join(COPIES, file);
    return !existsSync(copy) || !readFileSync(copy).equals(readFileSync(join(SOURCE, file)));
  });
}

function writeCopies(): void {
  mkdirSync(COPIES, { recursive: true });
  for (const file of differingCopies()) writeFileSync(join(COPIES, file), readFileSync(join(SOURCE, file)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] !== '--check') writeCopies();
  const differing = differingCopies();
  if (differing.length > 0) {
    console.error(`not as in crds/: ${differing.join(', ')}. Run: node test/chart/copies.ts`);
    process.exitCode = 1;
  }
}
