/** A node's local API without a cluster: real sockets, real admission, and an operator that does as it is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { askedRight, type LocalRefused, parseAsked } from '../../../crds/localrequest.ts';
import { LABEL_NODE } from '../../../crds/names.ts';
import { amounts } from '../../../crds/rspec.ts';
import type { LocalRefusal, LocalRequest, ResourceCapability, SliceNode } from '../../../crds/types.ts';
import { EMPTY_LEDGER, type Ledger } from '../../../node-daemonset/admission/ledger.ts';
import { policyOf } from '../../../node-daemonset/admission/policy.ts';
import { EMPTY_STATE } from '../../../node-daemonset/checkpoint.ts';
import { startLocal } from '../../../node-daemonset/local/start.ts';
import type { Desired, Sliver } from '../../../node-daemonset/sliver.ts';
import { makeSliver } from '../desired.ts';
import { admit, right } from '../rights.ts';
import { call, type Told } from './call.ts';

export interface World {
  /** What every operation of the operator comes to, in the place of doing it. */
  refuse: LocalRefused | undefined;
  /** Whether the owner offers the privilege. */
  isOffered: boolean;
  /** The operator does nothing at all. */
  away: boolean;
  /** What the API server was told, each time. */
  written: (readonly LocalRequest[])[];
  warnings: Record<string, unknown>[];
  rcaps: ResourceCapability[];
  registry: Registry;
  /** Who connects. */
  peer: string | undefined;
  socketOf(slice: string): string;
  /** With the privilege `broker`, without it `plain`. */
  ask(slice: string, method: string, path: string, body?: object | string): Promise<Told>;
  /** A pass, with these slivers alone. */
  pass(slices?: readonly string[]): void;
  /** The operator is back, and does what waits. */
  comeBack(): void;
  counted(operation: string, code: string): Promise<number>;
  close(): Promise<void>;
}

const SPEC = { privileges: ['RawSockets' as const, 'Capabilities' as const], budget: { shares: 250 } };

/** `uidOf`: real pods, told apart by the kernel; without it whoever the test says connects. */
export function createWorld(uidOf?: (slice: string) => string): World {
  const idOf = uidOf ?? ((slice: string): string => `pod-${slice}`);
  const directory = mkdtempSync(join(tmpdir(), 'local-'));
  let ledger: Ledger = EMPTY_LEDGER;
  let serial = 0;
  let refusals: LocalRefusal[] = [];
  const slivers = new Map<string, Sliver>();
  const registry = new Registry();
  const labels = { [LABEL_NODE]: 'node1' };
  const add = (slice: string, privileges: (typeof SPEC)['privileges']): ResourceCapability => {
    const rcap = right(slice, { privileges }, { sliceName: slice }, { labels });
    const { name, uid = '', namespace = '' } = rcap.metadata;
    slivers.set(slice, makeSliver(idOf(slice), amounts({ privileges }), { rcap: { namespace, name, uid }, slice }));
    return rcap;
  };

  /** The operator's part. */
  const carryOut = ({ operation, name, spec }: LocalRequest): void => {
    if (world.refuse) throw world.refuse;
    const asked = parseAsked(spec);
    if (operation === 'Acquire' || operation === 'Split') {
      const made = askedRight(world.rcaps[0]!, { operation, name }, asked);
      const uid = `made-${++serial}`;
      const metadata = { ...made.metadata, uid, generation: 1, creationTimestamp: '2026-11-01T00:00:00Z' };
      if (!world.rcaps.some((one) => one.metadata.name === metadata.name)) world.rcaps.push({ ...made, metadata });
    } else if (operation === 'Release') {
      world.rcaps = world.rcaps.filter(({ metadata }) => metadata.name !== name);
    } else {
      world.rcaps = world.rcaps.map((one) =>
        one.metadata.name === name
          ? { ...one, metadata: { ...one.metadata, generation: 2 }, spec: { ...one.spec, sliceName: asked.sliceName! } }
          : one,
      );
    }
  };

  const world: World = {
    refuse: undefined,
    isOffered: true,
    away: false,
    written: [],
    warnings: [],
    rcaps: [],
    registry,
    peer: undefined,
    socketOf: (slice) => join(directory, idOf(slice), 'capabilities'),
    ask(slice, method, path, body) {
      world.peer = idOf(slice);
      return call(world.socketOf(slice), method, path, body);
    },
    pass(slices = [...slivers.keys()]) {
      ({ ledger } = admit(ledger, world.rcaps, { spec: SPEC }));
      const desired = { slivers: slices.map((slice) => slivers.get(slice)!) } as unknown as Desired;
      void local.enforcer.enforce(desired, new AbortController().signal);
    },
    comeBack() {
      world.away = false;
      for (const request of world.written.at(-1) ?? []) carryOut(request);
      world.pass();
    },
    async counted(operation, code) {
      const { values } = await registry.getSingleMetric('slice_node_local_requests_total')!.get();
      return values.find(({ labels: of }) => of['operation'] === operation && of['code'] === code)?.value ?? 0;
    },
    async close() {
      await local.close();
      rmSync(directory, { recursive: true });
    },
  };
  const local = startLocal({
    nodeName: 'node1',
    client: {
      async apply(object) {
        const { requests = [] } = (object as unknown as SliceNode).status ?? {};
        world.written.push(requests);
        if (!world.away) {
          refusals = [];
          for (const request of requests) {
            try {
              carryOut(request);
            } catch (error) {
              const { reason, message } = error as LocalRefused;
              refusals.push({ id: request.id, reason, message });
            }
          }
          setImmediate(() => world.pass());
        }
        return await Promise.resolve(object);
      },
    },
    directoryOf: (uid) => join(directory, uid),
    store: { get: () => ({ ...EMPTY_STATE, ledger }) },
    policy: () => policyOf(world.isOffered ? SPEC : {}),
    rcaps: () => world.rcaps,
    sliceNode: () => ({ metadata: { name: 'node1' }, status: { refusals } }) as unknown as SliceNode,
    registry,
    log: { warn: (fields: Record<string, unknown>) => world.warnings.push(fields), error: console.error } as never,
    ...(!uidOf && { podOf: () => world.peer }),
  });
  world.rcaps.push(add('broker', SPEC.privileges), add('plain', ['RawSockets']));
  world.pass();
  return world;
}
