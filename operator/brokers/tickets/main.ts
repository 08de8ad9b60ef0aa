/** `tickets`: without a command the broker's process, with one what people do with tickets. */
import { readFileSync } from 'node:fs';
import { createClient } from '../../../kube/client.ts';
import { createLog } from '../../../kube/log.ts';
import { COMMANDS, USAGE } from './command/commands.ts';
import { parseCommand, UsageError } from './command/arguments.ts';
import { Refusal } from './refusal.ts';
import { serveBroker } from './serve.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

const {
  NAMESPACE: namespace = '',
  TICKETS_KEY: keyFile = '/etc/tickets/key/private',
  TICKETS_SETTINGS: settingsFile = '/etc/tickets/settings/settings.yaml',
  TICKETS_PORT: port = '8085',
  TICKETS_HOST: host,
  KUBECONFIG: kubeconfig,
  LOG_LEVEL: level = 'info',
} = process.env;

async function serve(): Promise<void> {
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort());
  const own = namespace || ownNamespace();
  const client = await createClient({ kubeconfig, userAgent: 'slice-tickets' });
  const { done } = await serveBroker({
    client,
    namespace: own,
    keyFile,
    settingsFile,
    port: Number(port),
    host,
    log: createLog('tickets', level),
    signal: ending.signal,
  });
  await done;
  await client.close();
}

function ownNamespace(): string {
  try {
    return readFileSync(ACCOUNT, 'utf8').trim();
  } catch (error) {
    const why = (error as Error).message;
    throw new UsageError(
      `without a command it is the broker, which runs in a pod (${why}); tickets --help has the commands`,
    );
  }
}

async function command(argv: readonly string[]): Promise<void> {
  const { name, options } = parseCommand(argv);
  const io = { read: (file: string) => readFileSync(file === '-' ? 0 : file, 'utf8'), now: Date.now };
  process.stdout.write(await COMMANDS[name](options, io));
}

const argv = process.argv.slice(2);
try {
  await (argv.length === 0 ? serve() : command(argv));
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(error.message === '' ? USAGE : `tickets: ${error.message}\n`);
  else if (error instanceof Refusal) process.stderr.write(`tickets: ${error.reason}: ${error.message}\n`);
  else if (argv.length === 0) throw error;
  else process.stderr.write(`tickets: ${(error as Error).message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
