/** Which site a namespace is of, and how many shares that has. */
import { LABEL_SITE } from '../../crds/names.ts';
import type { Namespace } from '../kinds.ts';

/** What the owner of the cluster gives to sites, in shares for each node. */
export interface SiteShares {
  /** Every site has that many. */
  each: number;
  /** But for these: by the value of the label, */
  labelled: ReadonlyMap<string, number>;
  /** and by the name of a namespace without it. */
  namespaces: ReadonlyMap<string, number>;
}

/** A namespace without the label is a site of its own, and never that of a label with its name. */
export interface Site {
  /** Unique among labels and namespaces, and for people: `site mit` or `namespace lab`. */
  name: string;
  /** The value of the label; undefined without. */
  label: string | undefined;
}

export function siteOf({ metadata: { name, labels } }: Pick<Namespace, 'metadata'>): Site {
  const label = labels?.[LABEL_SITE] || undefined;
  return { name: label === undefined ? `namespace ${name}` : `site ${label}`, label };
}

export function sharesOf(shares: SiteShares, { label }: Site, namespace: string): number {
  return (label === undefined ? shares.namespaces.get(namespace) : shares.labelled.get(label)) ?? shares.each;
}

/** From the chart's values; throws for what is no whole number of shares from 0 on. */
export function parseSiteShares(each: string, labelled: string, namespaces: string): SiteShares {
  return {
    each: shares('SITE_SHARES', each),
    labelled: map('SITES_LABELLED', labelled),
    namespaces: map('SITES_NAMESPACES', namespaces),
  };
}

function map(name: string, text: string): Map<string, number> {
  const given = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  // helm's null: as if it were not there
  const entries = Object.entries(given).filter(([, one]) => one !== null);
  return new Map(entries.map(([site, one]) => [site, shares(`${name}: ${site}`, one)]));
}

function shares(name: string, given: unknown): number {
  const number = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0 || number > 1000) {
    throw new Error(`${name}: ${JSON.stringify(given)} is no number of shares: give a whole one from 0 to 1000`);
  }
  return number;
}
