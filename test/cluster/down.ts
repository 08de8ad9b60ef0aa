/** Takes a cluster down: no process, namespace, link, route, cgroup or file of it is left. */
import { join } from 'node:path';
import { removeCgroups } from './cgroups.ts';
import { forgetCluster } from './cluster.ts';
import { prefix, type Cluster } from './config.ts';
import { deleteNetwork } from './network.ts';
import { endProcess, recordedProcesses } from './processes.ts';
import { step } from './progress.ts';

/** The state is thrown away, so everything is killed outright; a node's processes die with its first. */
export async function down(cluster: Cluster): Promise<void> {
  await step(`cluster ${cluster.name} taken down`, async () => {
    await Promise.all(recordedProcesses(cluster.dir).map((name) => endProcess(cluster.dir, name)));
    await removeCgroups(join(prefix(cluster.name)));
    await deleteNetwork(cluster);
    forgetCluster(cluster);
  });
}
