/** The CNI bandwidth plugin, as a container runtime calls it: what pods have without this project. */
import { existsSync } from 'node:fs';
import type { Pod, World } from './world.ts';

const PLUGIN = '/usr/lib/cni/bandwidth';

/** Limits what a pod sends, in Mbit/s; it knows neither guarantees nor shares. Needs containernetworking-plugins. */
export function limitByCni(world: World, pod: Pod, megabits: number): void {
  if (!existsSync(PLUGIN)) throw new Error(`${PLUGIN} is missing: install containernetworking-plugins`);
  const sandbox = `/run/netns/${world.net.name(pod)}`;
  const config = {
    cniVersion: '0.4.0',
    name: 'bench',
    type: 'bandwidth',
    egressRate: megabits * 1e6,
    egressBurst: 1e6,
    prevResult: {
      cniVersion: '0.4.0',
      interfaces: [{ name: `h${pod}` }, { name: 'eth0', sandbox }],
      ips: [{ version: '4', interface: 1, address: `${world.address(pod)}/24` }],
    },
  };
  const variables = [
    'CNI_COMMAND=ADD',
    `CNI_CONTAINERID=bench-${pod}`,
    `CNI_NETNS=${sandbox}`,
    'CNI_IFNAME=eth0',
    'CNI_PATH=/usr/lib/cni',
  ];
  world.net.run('node', ['env', ...variables, PLUGIN], JSON.stringify(config));
}
