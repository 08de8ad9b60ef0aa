/** Every object of a slice, of one kind, that came and went while somebody was watching, by its uid. */
import { LABEL_SLICE } from '../../crds/names.ts';
import type { Slice } from '../../crds/types.ts';
import { type Informer, startInformer } from '../../kube/informer.ts';
import { silentLog } from '../../kube/log.ts';
import type { KubeObject, Resource } from '../../kube/resources.ts';
import type { Product } from './product.ts';

export class Journal<T extends KubeObject> {
  readonly created = new Set<string>();
  readonly deleted = new Set<string>();
  readonly #informer: Informer<T>;

  /** `onChange` is told of the objects that there are after each event. */
  constructor(product: Product, resource: Resource, { metadata }: Slice, onChange: (objects: T[]) => void = () => {}) {
    this.#informer = startInformer<T>({
      client: product.client,
      resource,
      namespace: metadata.namespace,
      labelSelector: `${LABEL_SLICE}=${metadata.name}`,
      log: silentLog(),
      onChange: (_key, after, before) => {
        if (after) this.created.add(after.metadata.uid!);
        if (before && before.metadata.uid !== after?.metadata.uid) this.deleted.add(before.metadata.uid!);
        onChange(this.#informer.store.list());
      },
    });
  }

  /** What is there now counts as created from here on. */
  whenSynced(): Promise<void> {
    return this.#informer.whenSynced();
  }

  counts(): { created: number; deleted: number } {
    return { created: this.created.size, deleted: this.deleted.size };
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }
}
