/**
 * Where the books are kept: a ConfigMap for each issuer, in the broker's namespace. Every change is for the version that was read,
 * so that two brokers of one namespace never sell the same twice; nothing is kept in memory.
 */
import type { ApiClient } from '../../../kube/client.ts';
import { isAlreadyExists, isStatus } from '../../../kube/errors.ts';
import { BusyError, createGate, type Gate } from '../../../kube/gate.ts';
import { resourcePath, Resources } from '../../../kube/resources.ts';
import type { ConfigMap } from '../../kinds.ts';
import type { Book, Entry } from './books.ts';
import { BOOK, bookName, LABEL_TICKETS, MANAGER } from './names.ts';
import { Refusal } from './refusal.ts';

const KEY = 'book.json';
const ATTEMPTS = 20;
const WAITING = 64;

export interface Shelf {
  /** What `decide` says of the book as it is, with the book that it gives written; asked again when another was faster. */
  change<T extends { book?: Book }>(issuer: string, decide: (book: Book) => T, signal: AbortSignal): Promise<T>;
  /** All that there are; `broken`: what is wrong with those that can't be read. */
  list(signal: AbortSignal): Promise<{ books: Book[]; broken: string[] }>;
}

export interface ShelfOptions {
  client: Pick<ApiClient, 'get' | 'create' | 'patch' | 'request'>;
  namespace: string;
  /** Whether there are rights of this issuer. */
  hasRights(issuer: string, signal: AbortSignal): Promise<boolean>;
}

export function openShelf({ client, namespace, hasRights }: ShelfOptions): Shelf {
  // in one process they wait for each other instead of failing
  const gates = new Map<string, Gate>();

  async function attempt<T extends { book?: Book }>(
    issuer: string,
    decide: (book: Book) => T,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const name = bookName(issuer);
    const found = await client.get<ConfigMap>(Resources.ConfigMap, { namespace, name }, signal);
    if (!found) {
      await begin(issuer, signal);
      return undefined;
    }
    const outcome = decide(read(found, issuer));
    if (!outcome.book) return outcome;
    const { uid, resourceVersion } = found.metadata;
    const patch = { metadata: { uid, resourceVersion }, data: { [KEY]: JSON.stringify(outcome.book) } };
    try {
      await client.patch(Resources.ConfigMap, { namespace, name }, patch, { fieldManager: MANAGER, signal });
      return outcome;
    } catch (error) {
      if (isStatus(error, 404, 409)) return undefined;
      throw error;
    }
  }

  /** An empty book. One that was deleted is not begun anew: everything in it could be redeemed once more. */
  async function begin(issuer: string, signal: AbortSignal): Promise<void> {
    const name = bookName(issuer);
    if (await hasRights(issuer, signal)) {
      const message = `ConfigMap ${namespace}/${name} is gone, and rights of its tickets are there: restore it, or delete them`;
      throw new Refusal('BookLost', message);
    }
    const data = { [KEY]: JSON.stringify({ issuer, entries: [] } satisfies Book) };
    const metadata = { namespace, name, labels: { [LABEL_TICKETS]: BOOK } };
    const book: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
    await client.create(book, { fieldManager: MANAGER, signal }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  return {
    async change(issuer, decide, signal) {
      const gate = gates.get(issuer) ?? createGate(1, WAITING);
      gates.set(issuer, gate);
      try {
        return await gate(async () => {
          for (let n = 0; n < ATTEMPTS; n++) {
            const outcome = await attempt(issuer, decide, signal);
            if (outcome) return outcome;
          }
          throw new BusyError(`the book of ${issuer} was changed by others again and again`);
        });
      } catch (error) {
        if (error instanceof BusyError) throw new Refusal('Busy', error.message);
        throw error;
      }
    },
    async list(signal) {
      const path = resourcePath(Resources.ConfigMap, { namespace });
      const query = { labelSelector: `${LABEL_TICKETS}=${BOOK}` };
      const { items } = await client.request<{ items: ConfigMap[] }>('GET', path, { query, signal });
      const books: Book[] = [];
      const broken: string[] = [];
      for (const item of items) {
        try {
          books.push(read(item));
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          broken.push(error.message);
        }
      }
      return { books, broken };
    },
  };
}

function read({ metadata, data }: ConfigMap, issuer?: string): Book {
  const what = `ConfigMap ${metadata.namespace}/${metadata.name}`;
  let book: Partial<Book> | null;
  try {
    book = JSON.parse(data?.[KEY] ?? '') as Partial<Book> | null;
  } catch {
    throw new Refusal('BookLost', `${what} holds no book: restore it`);
  }
  const entries = book?.entries;
  const isWhole =
    typeof book?.issuer === 'string' &&
    Array.isArray(entries) &&
    entries.every(isEntry) &&
    typeof (book.refused ?? {}) === 'object';
  if (!isWhole || book?.issuer !== (issuer ?? book?.issuer)) {
    throw new Refusal('BookLost', `${what} holds no book${issuer === undefined ? '' : ` of ${issuer}`}: restore it`);
  }
  return book as Book;
}

/** Only we write them: as much as is read of each, should somebody else have. */
function isEntry(entry: Partial<Entry> | null): boolean {
  return typeof entry?.name === 'string' && Array.isArray(entry.ids) && typeof entry.window?.end === 'string';
}
