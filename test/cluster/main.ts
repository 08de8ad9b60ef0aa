/**
 * node test/cluster/main.ts up | down [all] | status | load | prepare
 *
 *   CLUSTER      its name (demo)                 NODES   0 to 3 nodes (2)
 *   CPUS         CPUs of each node (an equal part of the machine's)
 *   SLICE_CACHE  what outlives clusters (~/.cache/slice-operator)
 *   KUBECONFIG   a cluster that exists is taken as it is, unless it is one of ours
 */
import { chooseProvider, fromEnvironment } from './providers.ts';

async function main(command: string, argument: string | undefined): Promise<void> {
  const provider = await chooseProvider(fromEnvironment(process.env));
  switch (command) {
    case 'up':
      await provider.up();
      console.log(provider.kubeconfig());
      return;
    case 'down':
      return provider.down(argument === 'all');
    case 'load':
      for (const name of await provider.load()) console.log(name);
      return;
    case 'status':
      console.log(await provider.status());
      return;
    case 'prepare':
      return provider.prepare();
    default:
      throw new Error('usage: node test/cluster/main.ts up | down [all] | status | load | prepare');
  }
}

main(process.argv[2] ?? '', process.argv[3]).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
