/** Whose tickets a broker redeems: a YAML file, as a ConfigMap is mounted. */
import { amounts } from '../../../crds/rspec.ts';
import { parse } from 'yaml';
import { readFields, readText } from './canonical.ts';
import { readPublicKey } from './key.ts';
import type { Issuer } from './plan.ts';
import { Refusal } from './refusal.ts';
import { readRspec } from './rspec.ts';

export interface Settings {
  issuers: readonly Issuer[];
  revoked: ReadonlySet<string>;
}

const MAX_ISSUERS = 256;
const MAX_NODES = 10_000;
const MAX_REVOKED = 10_000;

/** Throws Refusal, which says what is wrong where. */
export function readSettings(text: string): Settings {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new Refusal('Malformed', `no YAML: ${(error as Error).message}`);
  }
  const { issuers, revoked = [] } = readFields(value, 'the settings', ['issuers'], ['revoked']);
  const read = list(issuers, 'issuers', MAX_ISSUERS).map(readIssuer);
  const twice = read.find(({ key }, at) => read.findIndex((one) => one.key === key) < at);
  if (twice) throw new Refusal('Malformed', `issuers: the key of ${twice.name} is there twice`);
  return {
    issuers: read,
    revoked: new Set(list(revoked, 'revoked', MAX_REVOKED).map((one) => readText(one, 'revoked', /^[\w:-]{1,100}$/))),
  };
}

function readIssuer(value: unknown, at: number): Issuer {
  const place = `issuers[${at}]`;
  const { key, name, nodes, resources } = readFields(value, place, ['key', 'name', 'nodes', 'resources']);
  return {
    key: readPublicKey(key, `${place}.key`),
    name: readText(name, `${place}.name`, /^[-\w.@]{1,63}$/),
    nodes: list(nodes, `${place}.nodes`, MAX_NODES).map((one) =>
      readText(one, `${place}.nodes`, /^[-a-z0-9.]{1,253}$/),
    ),
    amounts: amounts(readRspec(resources, `${place}.resources`)),
  };
}

function list(value: unknown, what: string, most: number): unknown[] {
  if (!Array.isArray(value) || value.length > most) {
    throw new Refusal('Malformed', `${what} must be a list of at most ${most}`);
  }
  return value as unknown[];
}
