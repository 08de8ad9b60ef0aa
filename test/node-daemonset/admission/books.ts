/** What must hold of a ledger at every instant, worked out anew from the grants alone. */
import assert from 'node:assert/strict';
import { portKey } from '../../../crds/rspec.ts';
import {
  booked,
  type Books,
  type Entry,
  holdsAt,
  type Ledger,
  NO_BOOKS,
  plus,
  sumsAt,
  grantsOf,
} from '../../../node-daemonset/admission/ledger.ts';

type Granted = Entry & { grant: NonNullable<Entry['grant']> };

const KINDS = ['shares', 'egress', 'memory', 'disk'] as const;

/** At every instant at which something starts or ends, from now on: `offer` is the node's, `budget` every namespace's. */
export function checkBooks(ledger: Ledger, offer: Books, budget: { shares: number; ports: number }, now: number): void {
  const all = ledger.entries.filter((entry): entry is Granted => entry.grant !== undefined);
  const edges = all.flatMap(({ grant: { period } }) => [period.start ?? now, (period.end ?? now) - 1]);
  for (const instant of new Set([now, ...edges.filter((edge) => edge > now)])) {
    const held = all.filter(({ grant }) => holdsAt(grant.period, instant));
    checkNode(ledger, held, offer, instant);
    checkParts(held);
    checkPorts(held);
    for (const [namespace, own] of Map.groupBy(held, (one) => one.namespace)) {
      const outermost = own.filter((one) => !above(held, one).some((up) => up.namespace === namespace));
      const shares = sum(outermost).shares;
      assert.ok(shares <= budget.shares, `${namespace} has ${shares} shares at ${instant}`);
      const ports = outermost.flatMap(({ grant }) => grant.amounts.ports).length;
      assert.ok(ports <= budget.ports, `${namespace} has ${ports} ports at ${instant}`);
    }
  }
}

/** Each unit is in one right's hands: what all rights have left, in all, is what the node gave away. */
function checkNode(ledger: Ledger, held: readonly Granted[], offer: Books, instant: number): void {
  const given = sum(held.filter(({ grant }) => grant.parent === undefined));
  const left = held.reduce((total, one) => plus(total, leftOf(held, one)), NO_BOOKS);
  const counted = sumsAt(grantsOf(ledger), instant);
  for (const kind of KINDS) {
    assert.equal(left[kind], given[kind], `${kind} counted twice or lost at ${instant}`);
    assert.equal(counted[kind], given[kind], `${kind}: the node's books say otherwise at ${instant}`);
    assert.ok(given[kind] <= offer[kind], `${kind}: ${given[kind]} of ${offer[kind]} at ${instant}`);
  }
  assert.equal(counted.pods, held.length);
  assert.ok(held.length <= offer.pods, `${held.length} pods at ${instant}`);
}

function checkParts(held: readonly Granted[]): void {
  for (const one of held) {
    const left = leftOf(held, one);
    for (const kind of KINDS) assert.ok(left[kind] >= 0, `${one.name} gave away ${kind} that it does not have`);
    const { parent } = one.grant;
    if (parent === undefined) continue;
    const whole = held.find(({ uid }) => uid === parent);
    assert.ok(whole, `${one.name} holds while what it is part of does not`);
    const has = new Set(whole.grant.amounts.ports.map(portKey));
    for (const port of one.grant.amounts.ports) assert.ok(has.has(portKey(port)), `${one.name} has a port of nobody's`);
  }
}

function checkPorts(held: readonly Granted[]): void {
  const owned = held.flatMap((one) => {
    const away = new Set(partsOf(held, one).flatMap(({ grant }) => grant.amounts.ports.map(portKey)));
    return one.grant.amounts.ports.map(portKey).filter((port) => !away.has(port));
  });
  assert.equal(new Set(owned).size, owned.length, 'a port has two owners');
}

function leftOf(held: readonly Granted[], one: Granted): Books {
  return plus(booked(one.grant.amounts), sum(partsOf(held, one)), -1);
}

function partsOf(held: readonly Granted[], { uid }: Granted): Granted[] {
  return held.filter(({ grant }) => grant.parent === uid);
}

function sum(rights: readonly Granted[]): Books {
  return rights.reduce((total, { grant }) => plus(total, booked(grant.amounts)), NO_BOOKS);
}

function above(held: readonly Granted[], one: Granted): Granted[] {
  const up = held.find(({ uid }) => uid === one.grant.parent);
  return up ? [up, ...above(held, up)] : [];
}
