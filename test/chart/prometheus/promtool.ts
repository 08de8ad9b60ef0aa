/** Debian's promtool, installed where it is missing. */
import { run } from '../../cluster/command.ts';
import { ensurePackages } from '../../cluster/packages.ts';

/** Its stdout. Rejects with what it says where it finds anything wrong. */
export async function promtool(argv: readonly string[], input?: string): Promise<string> {
  await ensurePackages(['prometheus']);
  return await run(['promtool', ...argv], { timeoutMs: 60_000, ...(input !== undefined && { input }) });
}
