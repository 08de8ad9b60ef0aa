/** Rights whose values can be shown now, found by a value's digest without a look at every right for each that is shown. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isOffered } from '../../crds/offer.ts';
import type { ResourceCapability } from '../../crds/types.ts';
import type { Entry } from './ledger.ts';

const DIGEST = /^[0-9a-f]{64}$/;
/** Where a digest is found in a map, nobody can tell from how long the search took: nothing else depends on the key. */
const KEY = randomBytes(32);

interface Offer {
  uid: string;
  digest: Buffer;
}

/** What one pass finds on offer; it is looked through when somebody shows a value, and only once. */
export class Offers {
  readonly #ordered: readonly ResourceCapability[];
  #byKey: Map<string, Offer[]> | undefined;

  /** `ordered`: in the order in which they are answered. */
  constructor(ordered: readonly ResourceCapability[]) {
    this.#ordered = ordered;
  }

  /** The first that is granted and answers to the digest; never the taker itself. */
  holderOf(shown: string, taker: string, entries: ReadonlyMap<string, Entry>): Entry | undefined {
    if (!DIGEST.test(shown)) return undefined;
    this.#byKey ??= offersIn(this.#ordered);
    const wanted = Buffer.from(shown, 'hex');
    for (const { uid, digest } of this.#byKey.get(keyOf(wanted)) ?? []) {
      const entry = entries.get(uid);
      if (uid !== taker && entry?.grant && timingSafeEqual(wanted, digest)) return entry;
    }
    return undefined;
  }
}

function offersIn(ordered: readonly ResourceCapability[]): Map<string, Offer[]> {
  const byKey = new Map<string, Offer[]>();
  for (const rcap of ordered) {
    const digest = rcap.status?.valueDigest ?? '';
    if (!DIGEST.test(digest) || !isOffered(rcap)) continue;
    const offer = { uid: rcap.metadata.uid ?? '', digest: Buffer.from(digest, 'hex') };
    const key = keyOf(offer.digest);
    const known = byKey.get(key);
    if (known) known.push(offer);
    else byKey.set(key, [offer]);
  }
  return byKey;
}

function keyOf(digest: Buffer): string {
  return createHmac('sha256', KEY).update(digest).digest('base64');
}
