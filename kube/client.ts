/** What we do with objects: get, create, apply, patch, remove; each write passes the fence, each edit and delete can name a uid. */
import { loadCredentials } from './credentials.ts';
import { isOtherObject, isStatus } from './errors.ts';
import { resourceOf, resourcePath, type KubeObject, type ObjectRef, type Resource } from './resources.ts';
import { Transport, type TransportOptions } from './transport.ts';

export type { RequestOptions } from './transport.ts';

/** Server-side apply: whose fields these are. Objects and their status need two managers, or a 1.20 server mixes them up. */
export interface ApplyOptions {
  fieldManager: string;
  /** Take fields over from other managers. */
  force?: boolean;
  subresource?: 'status';
}

export interface ClientOptions extends TransportOptions {
  kubeconfig?: string | undefined;
}

const APPLY = 'application/apply-patch+yaml';

/** `request`, `stream` and `close` are the transport's. */
export class ApiClient extends Transport {
  /** The object, or undefined where there is none of that name. */
  async get<T extends KubeObject>(resource: Resource, ref: ObjectRef, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return await this.request<T>('GET', resourcePath(resource, ref), { signal });
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  /** Creates the object; a name that is taken is an ApiError for which `isAlreadyExists` is true. */
  create<T extends KubeObject>(object: T, options: { fieldManager?: string; signal?: AbortSignal } = {}): Promise<T> {
    return this.request<T>('POST', resourcePath(resourceOf(object), { namespace: object.metadata.namespace }), {
      body: object,
      query: { fieldManager: options.fieldManager },
      signal: options.signal,
    });
  }

  /**
   * Server-side apply. With `metadata.uid` it is for that very object: where another has taken its name, or it is gone, the
   * answer is 409 and nothing is made. On `status` servers do not look at the uid, and give it to whoever has the name now; there
   * `metadata.resourceVersion`, which makes it for that very version, is what keeps a status from a namesake.
   */
  apply<T extends KubeObject>(object: T, options: ApplyOptions, signal?: AbortSignal): Promise<T> {
    const { namespace, name } = object.metadata;
    const { fieldManager, force = false, subresource } = options;
    const path = resourcePath(resourceOf(object), { namespace, name, ...(subresource && { subresource }) });
    const query = { fieldManager, force };
    return this.request<T>('PATCH', path, { body: object, contentType: APPLY, query, signal });
  }

  /** A JSON merge patch; `metadata.resourceVersion` in it makes it conditional. */
  patch<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    patch: object,
    options: { subresource?: string; fieldManager?: string; signal?: AbortSignal } = {},
  ): Promise<T> {
    return this.request<T>(
      'PATCH',
      resourcePath(resource, { ...ref, ...(options.subresource && { subresource: options.subresource }) }),
      {
        body: patch,
        contentType: 'application/merge-patch+json',
        query: { fieldManager: options.fieldManager },
        signal: options.signal,
      },
    );
  }

  /** Deletes that very object; false where it was gone already, or its name is another object's by now. */
  async remove(
    resource: Resource,
    ref: Required<ObjectRef> | ObjectRef,
    options: {
      propagation?: 'Background' | 'Foreground' | 'Orphan';
      gracePeriodSeconds?: number;
      signal?: AbortSignal;
    } = {},
  ): Promise<boolean> {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(ref.uid && { preconditions: { uid: ref.uid } }),
      ...(options.propagation && { propagationPolicy: options.propagation }),
      ...(options.gracePeriodSeconds !== undefined && { gracePeriodSeconds: options.gracePeriodSeconds }),
    };
    try {
      await this.request('DELETE', resourcePath(resource, ref), { body, signal: options.signal });
      return true;
    } catch (error) {
      if (isStatus(error, 404) || isOtherObject(error)) return false;
      throw error;
    }
  }
}

/** A client for the cluster of this kubeconfig; without one, of the environment or the pod's service account. */
export async function createClient(options: ClientOptions = {}): Promise<ApiClient> {
  return new ApiClient(await loadCredentials(options.kubeconfig), options);
}
