/**
 * The owner's policy from all that he says: the defaults for many nodes, over them the SliceNode, and over both the file on the
 * node, which has the last word.
 */
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import { API_VERSION } from '../../crds/names.ts';
import { mergePolicy } from '../../crds/ownerpolicy.ts';
import { readCrd, type Schema, schemaOf } from '../../crds/schemas.ts';
import type { SliceNodeSpec } from '../../crds/types.ts';
import { describe, validateSliceNode } from '../../crds/validate.ts';
import type { Orders } from '../owner/orders.ts';
import { type Policy, policyOf } from './policy.ts';

/** What the owner said elsewhere than in the file, and before. */
export interface Said {
  /** Of SliceNodePolicies. */
  defaults?: SliceNodeSpec | undefined;
  /** The SliceNode's. */
  spec?: SliceNodeSpec | undefined;
  /** On the node itself. */
  orders?: Orders;
  /** The last valid policy of an earlier run: what `valid` of its last reading was. */
  policy?: SliceNodeSpec | undefined;
}

/** A policy to go by, and what is wrong with the present one where it is an older one. */
export interface PolicyReading {
  /** undefined where there never was a valid one: then nothing is granted. */
  policy: Policy | undefined;
  /** What it was made of, for the time after a restart; the same object as long as nothing else is said. */
  valid: SliceNodeSpec | undefined;
  problem: string | undefined;
  /** The file changed just now, and what it said before holds: it may be half written. */
  unsettled?: boolean;
}

export interface PolicySourceOptions {
  /** So long the file has to say the same before that holds. Default 0. */
  settledMs?: number;
  now?(): number;
}

const MAX_BYTES = 256 * 1024;
/** What a file says that says nothing on purpose. */
const NOTHING = '{}';
const SPEC = schemaOf(readCrd('slicenode.yaml')).properties!.spec!;

/**
 * Reads the policy anew whenever it is asked, and keeps the last valid one, that of an earlier run, too: a slip of the owner's
 * pen must neither open the node nor end what runs on it. The cap is no part of that: it holds as it was said last.
 */
export class PolicySource {
  readonly #path: string;
  readonly #settledMs: number;
  readonly #now: () => number;
  /** What the file said when it last was let alone, and what it says since. */
  #taken: string | undefined;
  #fresh: { text: string; since: number } | undefined;
  #last: ({ text: string; reading: PolicyReading } & Said) | undefined;

  /** `path` may be missing: then the SliceNode alone counts. */
  constructor(path: string, { settledMs = 0, now = Date.now }: PolicySourceOptions = {}) {
    this.#path = path;
    this.#settledMs = settledMs;
    this.#now = now;
  }

  read(said: Said): PolicyReading {
    let text: string;
    // a file that is not there may just have been moved away
    let writtenAt = this.#now();
    try {
      text = readFileSync(this.#path, 'utf8');
      writtenAt = statSync(this.#path).mtimeMs;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') return this.#lastValid(said, `${this.#path}: ${message}`);
      text = NOTHING;
    }
    const kept = this.#lastValid(said);
    const unsettled = !this.#isSettled(text, writtenAt, kept.valid !== undefined);
    if (unsettled) {
      if (this.#taken === undefined) return { ...kept, unsettled };
      text = this.#taken;
    } else this.#taken = text;
    return unsettled ? { ...this.#readText(text, said), unsettled } : this.#readText(text, said);
  }

  /** An editor that empties the file, or moves it away, before it writes must not be taken at its word meanwhile. */
  #isSettled(text: string, writtenAt: number, isKept: boolean): boolean {
    const now = this.#now();
    // the first that is ever read holds at once: there is nothing else to go by
    const isOld = now - writtenAt >= this.#settledMs;
    const isFirst = this.#taken === undefined && (isOld || !isKept);
    if (isFirst || text === this.#taken) {
      this.#fresh = undefined;
      return true;
    }
    if (this.#fresh?.text !== text || this.#fresh.since > now) this.#fresh = { text, since: now };
    return now - this.#fresh.since >= this.#settledMs;
  }

  #readText(text: string, said: Said): PolicyReading {
    const last = this.#last;
    const { defaults, spec, orders } = said;
    const isSame = last?.defaults === defaults && last?.spec === spec && last?.orders === orders;
    if (last && last.text === text && isSame) return last.reading;
    const reading = this.#judge(text, said);
    this.#last = { text, defaults, spec, orders, reading };
    return reading;
  }

  #judge(text: string, said: Said): PolicyReading {
    const { defaults = {}, spec = {}, orders } = said;
    try {
      check(defaults, 'the SliceNodePolicies');
      check(spec, 'the SliceNode');
      const file = readSpec(text, this.#path);
      const unknown = unknownFields(file, SPEC, '');
      if (unknown.length > 0) throw new Error(`${this.#path}: there is no field ${unknown.join(', ')}`);
      check(file, this.#path);
      const valid = mergePolicy(mergePolicy(defaults, spec), file);
      return { policy: policyOf(valid, orders?.cap?.egressLimit), valid, problem: undefined };
    } catch (error) {
      return this.#lastValid(said, (error as Error).message);
    }
  }

  #lastValid({ policy: kept, orders }: Said, problem?: string): PolicyReading {
    const valid = this.#last?.reading.valid ?? (kept && isValid(kept) ? kept : undefined);
    return { policy: valid && policyOf(valid, orders?.cap?.egressLimit), valid, problem };
  }
}

/** A newer version may refuse what an older one took: then there is none to go by. */
function isValid(kept: SliceNodeSpec): boolean {
  try {
    check(kept, 'the last valid policy');
    return true;
  } catch {
    return false;
  }
}

function readSpec(text: string, path: string): SliceNodeSpec {
  if (text.length > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`);
  let spec: unknown;
  try {
    spec = parse(text, { maxAliasCount: 10 });
  } catch (error) {
    throw new Error(`${path} is not YAML: ${(error as Error).message}`, { cause: error });
  }
  // so it is for a moment while it is written, and for good where the disk was full
  if (spec === undefined || spec === null)
    throw new Error(`${path} is empty: write ${NOTHING} into it where it should say nothing, or delete it`);
  if (typeof spec !== 'object' || Array.isArray(spec))
    throw new Error(`${path} must hold the fields of a SliceNode's spec`);
  return spec;
}

function check(spec: SliceNodeSpec, where: string): void {
  const violations = validateSliceNode({
    apiVersion: API_VERSION,
    kind: 'SliceNode',
    metadata: { name: 'node' },
    spec,
  });
  if (violations.length > 0) throw new Error(`${where}: ${describe(violations)}`);
}

/** A server drops what it does not know; in a file a slip such as `share: 1` would leave the default in force. */
function unknownFields(value: unknown, schema: Schema | undefined, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((one, i) => unknownFields(one, schema?.items, `${path}[${i}]`));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const known = schema?.properties?.[name];
    const at = path === '' ? name : `${path}.${name}`;
    return known ? unknownFields(one, known, at) : [at];
  });
}
