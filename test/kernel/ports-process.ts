/**
 * The node manager's ports enforcer as a process of its own, to be started in a network namespace with the file of its
 * record: takes one JSON request a line and answers each with one line of JSON.
 */
import { createInterface } from 'node:readline';
import type { RspecPort } from '../../crds/types.ts';
import { createPortsEnforcer } from '../../node-daemonset/ports/apply.ts';
import type { Desired } from '../../node-daemonset/sliver.ts';

export type Request = { enforce: Desired } | { release: true } | { held: RspecPort[] };

const enforcer = createPortsEnforcer({ stateFile: process.argv[2]! });

async function answer(request: Request): Promise<unknown> {
  if ('enforce' in request) return enforcer.enforce(request.enforce, AbortSignal.timeout(60_000));
  if ('release' in request) return enforcer.release().then(() => ({}));
  return enforcer.held(request.held);
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line) as Request).catch((error: Error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
