/**
 * Three that want the same nodes, at random: somebody who acquires, splits, edits and releases by hand in a namespace of his own,
 * Slices of the default broker, and Slices of the queue.
 */
import { ANNOTATION_WINDOW, API_VERSION, LABEL_NODE, nodeLabelValue } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec } from '../../../crds/types.ts';
import type { ApiClient } from '../../../kube/client.ts';
import { isStatus } from '../../../kube/errors.ts';
import { Resources, resourcePath, type KubeObject, type Resource } from '../../../kube/resources.ts';

export interface RivalsOptions {
  client: ApiClient;
  nodes: readonly string[];
  /** Those that have these nodes only. */
  nodeSelector?: Record<string, string>;
  /** Where each of them asks; `broker` is the queue's own. */
  namespaces: { hand: string; slices: string; queued: string; broker: string };
  sliver: SliceSpec['sliver'];
  seed: number;
}

export type Rival = 'hand' | 'slices' | 'queued';

/** At a time: more would only wait. */
const MOST = { hand: 30, slices: 5, queued: 5 };

export class Rivals {
  readonly #options: RivalsOptions;
  readonly #names: Record<Rival, string[]> = { hand: [], slices: [], queued: [] };
  #state: number;
  #serial = 0;

  constructor(options: RivalsOptions) {
    this.#options = options;
    this.#state = options.seed;
  }

  /** Each of them asks for something, or gives something back, about every so many ms. */
  async compete(rivals: readonly Rival[], durationMs: number, everyMs: number): Promise<void> {
    const end = performance.now() + durationMs;
    const one = async (rival: Rival): Promise<void> => {
      while (performance.now() < end) {
        // what is gone, or was just changed, is asked for again by chance
        await this.#act(rival).catch((error: unknown) => {
          if (!isStatus(error, 404, 409, 422)) throw error;
        });
        await new Promise((resolve) => setTimeout(resolve, everyMs * (0.5 + this.#random())));
      }
    };
    await Promise.all(rivals.map(one));
  }

  /** Deletes everything that they asked for. */
  async release(): Promise<void> {
    const { client, namespaces } = this.#options;
    for (const [resource, namespace] of [
      [Resources.Slice, namespaces.slices],
      [Resources.Slice, namespaces.queued],
      [Resources.ResourceCapability, namespaces.hand],
    ] as const) {
      for (const { metadata } of await this.list<KubeObject>(resource, namespace)) {
        await client.remove(resource, { namespace, name: metadata.name });
      }
    }
  }

  async list<T extends KubeObject>(resource: Resource, namespace: string): Promise<T[]> {
    const path = resourcePath(resource, { namespace });
    return (await this.#options.client.request<{ items: T[] }>('GET', path)).items;
  }

  async #act(rival: Rival): Promise<void> {
    const names = this.#names[rival];
    const name = names[this.#below(names.length || 1)];
    const isFull = names.length >= MOST[rival];
    if (name !== undefined && (isFull || this.#random() < 0.3)) {
      names.splice(names.indexOf(name), 1);
      const resource = rival === 'hand' ? Resources.ResourceCapability : Resources.Slice;
      await this.#options.client.remove(resource, { namespace: this.#options.namespaces[rival], name });
    } else if (rival === 'hand') await this.#byHand(name);
    else await this.#slice(rival);
  }

  async #byHand(known: string | undefined): Promise<void> {
    const { client, nodes, namespaces } = this.#options;
    const namespace = namespaces.hand;
    const ref = { namespace, name: known ?? '' };
    const resources = {
      cpu: { shares: 1 + this.#below(400) },
      egress: { guarantee: `${this.#below(30)}M`, limit: '60M' },
    };
    const start = this.#random() < 0.5 ? Date.now() : Date.now() + this.#below(20_000);
    const window = {
      start: new Date(start).toISOString(),
      end: new Date(start + 1000 + this.#below(30_000)).toISOString(),
    };
    const kind = this.#below(4);
    if (known !== undefined && kind === 0) {
      await client.patch(Resources.ResourceCapability, ref, { spec: { resources, window } });
      return;
    }
    const parent =
      known && kind === 1 ? await client.get<ResourceCapability>(Resources.ResourceCapability, ref) : undefined;
    const nodeName = parent?.spec.nodeName ?? nodes[this.#below(nodes.length)]!;
    const name = `right-${++this.#serial}`;
    const spec = { nodeName, contact: 'hand@example.org', resources, window: parent?.spec.window ?? window };
    await client.create<ResourceCapability>({
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { name, namespace, labels: { [LABEL_NODE]: nodeLabelValue(nodeName) } },
      spec: { ...spec, ...(parent && { from: parent.metadata.name }) },
    });
    this.#names.hand.push(name);
  }

  async #slice(rival: 'slices' | 'queued'): Promise<void> {
    const { client, nodes, nodeSelector, namespaces, sliver } = this.#options;
    const name = `${rival}-${++this.#serial}`;
    const count = 1 + this.#below(nodes.length);
    const annotations: Record<string, string> =
      rival === 'queued' ? { [ANNOTATION_WINDOW]: String(1 + this.#below(6)) } : {};
    await client.create<Slice>({
      apiVersion: API_VERSION,
      kind: 'Slice',
      metadata: { name, namespace: namespaces[rival], annotations },
      spec: {
        contact: 'slices@example.org',
        ...(rival === 'queued' && { broker: namespaces.broker }),
        placement: { count, ...(nodeSelector && { nodeSelector }) },
        share: 1 + this.#below(300),
        sliver,
      },
    });
    this.#names[rival].push(name);
  }

  #below(most: number): number {
    return Math.floor(this.#random() * most);
  }

  /** mulberry32: the same from the same seed. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}
