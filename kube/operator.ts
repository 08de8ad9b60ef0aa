/**
 * The adapter on @dot-i/k8s-operator. Its life cycle (constructor, `start`, `init`, `stop`), its event types and its
 * `handleResourceFinalizer` are used as they are; overridden is what would break an operator in production, each with its
 * reason (found with version 1.3.9).
 */
import dotOperator, { type ResourceEvent, type ResourceMeta } from '@dot-i/k8s-operator';
import type { ApiClient } from './client.ts';
import { startInformer, type Informer, type InformerOptions } from './informer.ts';
import type { Log } from './log.ts';
import { resourcePath, type KubeObject, type Resource } from './resources.ts';

// the package is CommonJS: under Node's loader its default export is a property of what is imported
const { default: Operator, ResourceEventType, ResourceMetaImpl } = dotOperator;

export { ResourceEventType };
export type { ResourceEvent, ResourceMeta };

export abstract class KubeOperator extends Operator {
  protected readonly client: ApiClient;
  protected readonly log: Log;
  readonly #informers: Informer<KubeObject>[] = [];
  readonly #resources = new Map<string, Resource>();

  constructor(client: ApiClient, log: Log) {
    super({
      debug: (message) => log.debug(message),
      info: (message) => log.info(message),
      warn: (message) => log.warn(message),
      error: (message) => log.error(message),
    });
    this.client = client;
    this.log = log;
  }

  /** Its own creates CRDs in client-node's old argument order and needs the right to; our chart installs them. */
  protected override registerCustomResourceDefinition(): never {
    throw new Error('CRDs are installed by the chart, not by the operator');
  }

  /** Its own prefixes a base path that newer client-nodes do not have: `undefined/apis/...`. */
  protected override getCustomResourceApiUri(
    group: string,
    version: string,
    plural: string,
    namespace?: string,
  ): string {
    const apiVersion = group ? `${group}/${version}` : version;
    return resourcePath({ apiVersion, plural, kind: '', namespaced: namespace !== undefined }, { namespace });
  }

  /**
   * Its own exits the process when a watch breaks or is quiet for 30 seconds, replays everything when one ends, works off
   * one queue for all kinds, and loses what handlers throw. Ours follows with an informer; the callback only hears of it.
   */
  protected async follow<T extends KubeObject>(
    options: Omit<InformerOptions<T>, 'client' | 'log' | 'onChange'> & { onEvent?: (event: ResourceEvent) => void },
  ): Promise<Informer<T>> {
    const { resource, onEvent } = options;
    this.#resources.set(metaId(resource), resource);
    const informer = startInformer<T>({
      ...options,
      client: this.client,
      log: this.log,
      onChange(_key, after, before) {
        const object = after ?? before;
        if (object && onEvent) onEvent(toEvent(resource, object, after, before));
      },
    });
    this.#informers.push(informer);
    return informer;
  }

  protected override watchResource(): never {
    throw new Error('resources are followed by `follow`');
  }

  /** Its own pushes into the finalizers of the object it is given, which is the cached one; so it gets a copy. */
  protected override handleResourceFinalizer(
    event: ResourceEvent,
    finalizer: string,
    deleteAction: (event: ResourceEvent) => Promise<void>,
  ): Promise<boolean> {
    return super.handleResourceFinalizer({ ...event, object: structuredClone(event.object) }, finalizer, deleteAction);
  }

  /** Its own swallows errors and overwrites finalizers that others have set since; here a conflict is an error to retry. */
  protected override async setResourceFinalizers(meta: ResourceMeta, finalizers: string[]): Promise<void> {
    const resource = this.#resources.get(meta.id);
    if (!resource) throw new Error(`${meta.id} is not followed, so its finalizers can't be set`);
    const patch = { metadata: { resourceVersion: meta.resourceVersion, finalizers } };
    await this.client.patch(resource, { namespace: meta.namespace, name: meta.name }, patch);
  }

  /** Its own turns every failure into null; statuses of ours are written by server-side apply, with one writer a field. */
  protected override patchResourceStatus(): never {
    throw new Error('statuses are written by server-side apply');
  }

  protected override setResourceStatus(): never {
    throw new Error('statuses are written by server-side apply');
  }

  /** What `handleResourceFinalizer` asks for, of an object in a store. */
  protected eventOf(resource: Resource, object: KubeObject): ResourceEvent {
    return toEvent(resource, object, object, object);
  }

  /** Its own aborts watches in a way that its error handler takes for a failure, and exits 1. */
  override stop(): void {
    for (const informer of this.#informers) void informer.stop();
  }
}

const metaId = ({ plural, apiVersion }: Resource) => `${plural}.${apiVersion}`;

function toEvent(resource: Resource, object: KubeObject, after?: KubeObject, before?: KubeObject): ResourceEvent {
  const type = !after ? ResourceEventType.Deleted : before ? ResourceEventType.Modified : ResourceEventType.Added;
  // the base class knows dates where the wire, and we, have text; it reads neither
  const wire = object as unknown as ResourceEvent['object'];
  return { meta: ResourceMetaImpl.createWithPlural(resource.plural, wire), type, object: wire };
}
