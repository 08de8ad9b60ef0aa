/** What slivers may do on the network, without any capability: owned ports, raw sockets, the node's own address. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { PortRange, RspecPort, Slice, SliceSpec } from '../../crds/types.ts';
import { hostAddress, hostAddress6, nodeAddress, nodeAddress6, nodeNumber } from '../cluster/config.ts';
import { findProcesses, killProcess, whenAnother } from './operator.ts';
import type { Product } from './product.ts';
import { NODES, sharedProduct } from './shared.ts';
import { dropNamespace, freshNamespace, sliceOf, type Sliver, sliversOf, whenCondition, whenReady } from './slices.ts';

const NAMESPACE = 'network';
const HOST_NAMESPACE = 'network-host';
const PORT = 5001;
const ECHO = 4711;
const PORTS: RspecPort[] = [
  { protocol: 'TCP', port: PORT },
  { protocol: 'UDP', port: PORT },
  { protocol: 'ICMP', port: ECHO },
];
/** Says its name to the first who connects. */
const GREETER = `require('node:net').createServer((s) => s.on('error', () => {}).on('close', () => process.exit()).end('greeter')).listen(${PORT}, '::')`;

describe('the network of a slice', () => {
  let product: Product;
  let sliver: Sliver;
  let plain: Sliver;
  let machine: { v4: string; v6: string };

  const run = (name: string, spec: Partial<Omit<SliceSpec, 'sliver'>>, sliver?: Partial<SliceSpec['sliver']>): Slice =>
    sliceOf(product, NAMESPACE, name, { placement: { count: 1 }, ...spec, sliver });
  const exec = async ({ pod }: Sliver, ...argv: string[]): Promise<{ ok: boolean; text: string }> => {
    const { namespace, name } = pod.metadata;
    return await product.kubectl('exec', '-n', namespace!, name, '--', ...argv).then(
      (text) => ({ ok: true, text }),
      (error: Error) => ({ ok: false, text: error.message }),
    );
  };
  const start = async (slice: Slice): Promise<Sliver> => {
    await product.apply(slice);
    await whenReady(product, slice);
    return (await sliversOf(product, slice))[0]!;
  };
  const greeting = async (address: string): Promise<string> => {
    const socket = connect({ host: address, port: PORT, timeout: 5000 });
    socket.setEncoding('utf8').on('timeout', () => socket.destroy(new Error(`${address} says nothing`)));
    // whoever hangs up without a word is no error of the socket's
    const patience = { signal: AbortSignal.timeout(10_000) };
    const [text] = (await once(socket, 'data', patience).finally(() => socket.destroy())) as [string];
    return text;
  };

  const offer = async (spec: { hostNetwork: boolean | null; ports: PortRange[] | null }): Promise<void> => {
    for (const node of NODES) {
      await product.kubectl('patch', 'slicenode', node, '--type=merge', '-p', JSON.stringify({ spec }));
    }
  };

  before(async () => {
    product = await sharedProduct();
    machine = { v4: hostAddress(product.cluster.index), v6: hostAddress6(product.cluster.index) };
    await offer({ hostNetwork: null, ports: null });
    await freshNamespace(product, NAMESPACE, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await freshNamespace(product, HOST_NAMESPACE, { 'slice-operator.io/host-network': 'allowed' });
    sliver = await start(run('probe', { resources: { ports: PORTS, privileges: ['RawSockets'] } }));
    plain = await start(run('plain', { resources: { ports: [{ protocol: 'TCP', port: PORT + 1 }] } }));
  });
  after(async () => {
    await offer({ hostNetwork: null, ports: null });
    await dropNamespace(product, HOST_NAMESPACE);
    await dropNamespace(product, NAMESPACE);
  });

  it('gives nobody a capability', async () => {
    for (const one of [sliver, plain]) {
      const { text } = await exec(one, 'grep', 'Cap', '/proc/self/status');
      assert.match(text, /CapEff:\s*0{16}/);
      assert.match(text, /CapBnd:\s*0{16}/);
    }
  });

  it('gives nobody namespaces, in which it would have them all', async () => {
    for (const one of [sliver, plain]) {
      for (const kind of ['--user', '--net']) {
        const { ok, text } = await exec(one, 'unshare', kind, 'true');
        assert.equal(ok, false, `unshare ${kind}`);
        assert.match(text, /not permitted|No space left|Invalid argument/i);
      }
    }
  });

  for (const family of ['v4', 'v6'] as const) {
    it(`lets programs that nobody changed use raw sockets, by ${family}`, async () => {
      const to = machine[family];
      const shim = '/run/slice/bin/slice-run';
      const ping = await exec(sliver, shim, 'ping', '-c', '3', '-i', '0.2', '-W', '5', to);
      assert.match(ping.text, /3 received/);
      for (const method of [[], ['-I'], ['-T', '-p', '9']]) {
        const trace = await exec(sliver, shim, 'traceroute', '-n', '-w', '3', '-q', '1', ...method, to);
        assert.ok(
          trace.text.split('\n').some((line) => line.includes(` ${to} `)),
          trace.text,
        );
      }
    });

    it(`lets a program shake hands as a TCP of its own, by a SYN that carries data, by ${family}`, async () => {
      const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
      server.listen(0, machine[family]);
      await once(server, 'listening');
      try {
        const { port } = server.address() as AddressInfo;
        const { text } = await exec(sliver, 'handshake', machine[family], String(port));
        assert.match(text, new RegExp(`^echoed from port ${PORT}$`, 'm'));
      } finally {
        server.close();
      }
    });

    it(`leads an owned port of the node's address to its sliver, by ${family}`, async () => {
      const n = nodeNumber(sliver.node);
      const { index } = product.cluster;
      const greeter = exec(sliver, 'timeout', '100', 'node', '-e', GREETER);
      const address = family === 'v4' ? nodeAddress(index, n) : nodeAddress6(index, n);
      let heard = '';
      await product.until('the greeter to answer', async () => {
        heard = await greeting(address).catch(() => '');
        return heard !== '';
      });
      assert.equal(heard, 'greeter');
      await greeter;
    });
  }

  it('refuses raw sockets to a slice without the privilege', async () => {
    const shim = '/run/slice/bin/slice-run';
    for (const argv of [
      [shim, 'ping', '-c', '1', '-W', '2', machine.v4],
      [shim, 'traceroute', '-n', '-I', machine.v4],
      [shim, 'traceroute', '-n', '-T', '-p', '9', machine.v4],
      ['handshake', machine.v4, '9'],
      ['/run/slice/bin/slice-dump', String(PORT + 1)],
    ]) {
      const { ok, text } = await exec(plain, ...argv);
      assert.equal(ok, false, argv.join(' '));
      assert.match(text, /not permitted|EPERM/i, argv.join(' '));
    }
  });

  it('refuses a port that another slice has, naming it', async () => {
    const { node } = sliver;
    const rival = run('rival', {
      placement: { nodeSelector: { 'kubernetes.io/hostname': node } },
      resources: { ports: PORTS },
    });
    await product.apply(rival);
    const { message } = await whenCondition(product, rival, 'Allocated', ({ message: text }) => /PortInUse/.test(text));
    assert.match(message, new RegExp(`${node}: PortInUse`));
    await product.kubectl('delete', 'slice', '-n', NAMESPACE, 'rival', '--timeout=350s');
  });

  it('serves raw sockets again after the node manager was killed', async () => {
    const before = await findProcesses(product, sliver.node, 'node-daemonset');
    await killProcess(product, sliver.node, 'node-daemonset');
    await whenAnother(product, sliver.node, 'node-daemonset', before);
    await product.until('raw sockets again', async () => {
      const { text } = await exec(sliver, '/run/slice/bin/slice-run', 'ping', '-c', '1', '-W', '2', machine.v4);
      return /1 received/.test(text);
    });
  });

  describe("on the node's own network", () => {
    let host: Sliver;
    const bind = (port: number): Promise<{ ok: boolean; text: string }> =>
      exec(host, 'node', '-e', `require('node:net').createServer().listen(${port}, '::', () => process.exit(0))`);

    it('runs only where the namespace and the owner allow it', async () => {
      const spec = {
        placement: { count: 1 },
        resources: {
          ports: [
            { protocol: 'TCP' as const, port: 80 },
            { protocol: 'TCP' as const, port: 5005 },
          ],
        },
      };
      const refused = run('shared', spec, { network: 'Host' });
      await product.apply(refused);
      const { message } = await whenCondition(product, refused, 'Accepted', ({ status }) => status === 'False');
      assert.match(message, /slice-operator\.io\/host-network/);
      const slice = sliceOf(product, HOST_NAMESPACE, 'shared', { ...spec, sliver: { network: 'Host' } });
      await product.apply(slice);
      await whenCondition(product, slice, 'Allocated', ({ message: text }) => /HostNetworkNotOffered/.test(text));
      const protocols = ['TCP', 'UDP', 'ICMP'] as const;
      await offer({ hostNetwork: true, ports: protocols.map((protocol) => ({ protocol, from: 1, to: 65535 })) });
      await whenReady(product, slice, 240_000);
      host = (await sliversOf(product, slice))[0]!;
      assert.equal(host.pod.spec.hostNetwork, true);
    });

    it('binds its own ports, below 1024 too, and no other', async () => {
      assert.deepEqual(await bind(5005), { ok: true, text: '' });
      assert.deepEqual(await bind(80), { ok: true, text: '' });
      assert.match((await bind(5006)).text, /EACCES/);
      assert.match((await bind(81)).text, /EACCES/);
      assert.match((await bind(10250)).text, /EADDRINUSE|EACCES/);
    });

    for (const family of ['v4', 'v6'] as const) {
      it(`gets answers as a client of UDP, and nothing that it did not ask for, by ${family}`, async () => {
        const type = family === 'v4' ? 'udp4' : 'udp6';
        const [server, stranger] = [createSocket(type), createSocket(type)];
        try {
          server.on('message', (_, from) => {
            stranger.send('unasked', from.port, from.address);
            setTimeout(() => server.send('answer', from.port, from.address), 200);
          });
          server.bind(0, machine[family]);
          await once(server, 'listening');
          const code = `const s = require('node:dgram').createSocket('${type}');
            const ask = () => s.send('ask', ${server.address().port}, '${machine[family]}');
            s.on('message', (m) => { console.log(String(m)); setTimeout(() => process.exit(), 1000) });
            ask(); setTimeout(ask, 500); setTimeout(() => process.exit(), 30000);`;
          const { ok, text } = await exec(host, 'node', '-e', code);
          assert.ok(ok, text);
          assert.deepEqual([...new Set(text.trim().split('\n'))], ['answer']);
        } finally {
          server.close();
          stranger.close();
        }
      });
    }

    it('reaches nothing that listens on the loopback of the node', async () => {
      const code = `require('node:net').connect(33081, '127.0.0.1').on('connect', () => process.exit(0)).on('error', (e) => { console.error(e.code); process.exit(1) })`;
      const { ok, text } = await exec(host, 'node', '-e', code);
      assert.equal(ok, false);
      assert.match(text, /EPERM|EACCES|ECONNREFUSED/);
    });
  });
});
