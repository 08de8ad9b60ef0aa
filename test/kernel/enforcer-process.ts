/**
 * The node manager's egress enforcer, or that of sources or of connections, as a process of its own, to be started in a network
 * namespace with its name: takes one JSON request a line and answers each with one line of JSON.
 */
import { createInterface } from 'node:readline';
import { createEgressEnforcer } from '../../node-daemonset/egress/apply.ts';
import { createSourcesEnforcer } from '../../node-daemonset/sources/apply.ts';
import { createConnectionsEnforcer } from '../../node-daemonset/connections/apply.ts';
import type { Desired, Enforcer } from '../../node-daemonset/sliver.ts';

export type Request = { enforce: Desired } | { release: true } | { counters: true };

const egress = createEgressEnforcer();
const [name, prefix, tableSize] = process.argv.slice(2);
const enforcers: Record<string, () => Enforcer> = {
  egress: () => egress,
  sources: createSourcesEnforcer,
  connections: () => createConnectionsEnforcer({ prefix: prefix!, tableSize: Number(tableSize) }),
};
const enforcer = enforcers[name!]!();

async function answer(request: Request): Promise<unknown> {
  if ('enforce' in request) return enforcer.enforce(request.enforce, AbortSignal.timeout(60_000));
  if ('release' in request) return enforcer.release().then(() => ({}));
  return Object.fromEntries(egress.counters());
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line) as Request).catch((error: Error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
