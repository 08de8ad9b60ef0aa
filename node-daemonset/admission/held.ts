/** Ports that somebody on the node has, as admission hears of them. Pure; `ports/` looks. */
import { portKey } from '../../crds/rspec.ts';
import type { ResourceCapability, RspecPort } from '../../crds/types.ts';
import type { Entry, Ledger } from './ledger.ts';

/** A port of the node that is in use. */
export interface HeldPort extends RspecPort {
  /** By whom, for people: `nginx (pid 812)`. */
  by: string;
  /** The uid of the pod that it is in; undefined: the node's own, or not known. */
  pod: string | undefined;
}

/** A held port, and whose right the pod that holds it has; undefined: nobody's. */
export type KnownHolder = HeldPort & { rcap: string | undefined };

/**
 * Ports that rcaps ask for in generations which were not answered yet, and do not own already: those to look for before
 * the answer. Whatever is not valid is left to the judgement.
 */
export function askedPorts(ledger: Ledger, rcaps: readonly ResourceCapability[]): RspecPort[] {
  const entries = new Map(ledger.entries.map((entry) => [entry.uid, entry]));
  const asked = rcaps.flatMap((rcap) => newPorts(rcap, entries.get(rcap.metadata.uid ?? '')));
  return [...new Map(asked.map((port) => [portKey(port), port])).values()];
}

/** Ports that one rcap asks for beyond those that it owns; none where its generation was answered. */
export function newPorts({ metadata, spec }: ResourceCapability, entry: Entry | undefined): RspecPort[] {
  const answered = Math.max(entry?.grant?.generation ?? -1, entry?.refusal?.generation ?? -1);
  if (answered >= (metadata.generation ?? 0)) return [];
  const owned = new Set(entry?.grant?.amounts.ports.map(portKey));
  const ports = spec.resources ? spec.resources.ports : spec.redeem && entry?.former?.amounts.ports;
  return (ports || []).filter((port) => !owned.has(portKey(port)));
}
