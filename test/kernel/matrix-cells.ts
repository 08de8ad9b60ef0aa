/** Every cell of the matrix of what a pod may do on the network, and what is to come of it. */

export const KINDS = ['TCP', 'UDP', 'ICMP', 'raw TCP', 'raw UDP', 'raw ICMP'] as const;
export const ACTS = ['bind', 'autobind', 'connect', 'send'] as const;
/** Whose the port or the echo identifier is: it is bound, chosen by the kernel, connected to on the node, or sent from. */
export const OWNERS = ['own', "another's", 'unowned', "the node's"] as const;
export const PLACES = ['host', 'pod', 'ordinary'] as const;
export const MEANS = ['plain', 'FREEBIND', 'PKTINFO', 'HDRINCL', 'forged HDRINCL', 'UDP_SEGMENT', 'passed'] as const;

export interface Cell {
  /** Names it in what it sends. */
  number: number;
  kind: (typeof KINDS)[number];
  family: 4 | 6;
  act: (typeof ACTS)[number];
  owner: (typeof OWNERS)[number];
  /** A sliver on the node's network, one with an address of its own, a pod on the node's network that is no sliver. */
  place: (typeof PLACES)[number];
  /**
   * FREEBIND binds and PKTINFO and a forged header name an address that nobody has; a socket is passed to the sliver that
   * `another's` ports belong to, which does the rest.
   */
  means: (typeof MEANS)[number];
}

/** `silent`: the call says nothing, and no packet leaves. */
export type Outcome = { refused: string } | 'allowed' | 'silent' | { not: string };

export const CELLS: readonly Cell[] = PLACES.flatMap((place) =>
  KINDS.flatMap((kind) =>
    ([4, 6] as const).flatMap((family) =>
      ACTS.flatMap((act) =>
        OWNERS.flatMap((owner) => MEANS.map((means) => ({ kind, family, act, owner, place, means }))),
      ),
    ),
  ),
).map((cell, number) => ({ ...cell, number }));

export const isRaw = ({ kind }: Pick<Cell, 'kind'>): boolean => kind.startsWith('raw');

/** What does not happen, and why; undefined: it does. */
function inapplicable({ kind, family, act, owner, place, means }: Cell): string | undefined {
  const raw = kind.startsWith('raw');
  const forges = means === 'FREEBIND' || means === 'PKTINFO';
  if (place === 'ordinary' && owner === 'own') return 'an ordinary pod owns nothing';
  if (!raw && means.endsWith('HDRINCL')) return 'only raw sockets write headers';
  if (means === 'UDP_SEGMENT' && kind !== 'UDP') return 'only UDP is cut into segments';
  if (means === 'UDP_SEGMENT' && (act === 'bind' || act === 'connect')) return 'only what is sent is cut into segments';
  if (means === 'PKTINFO' && (kind === 'TCP' || act === 'bind' || act === 'connect'))
    return 'PKTINFO is part of a datagram';
  if (means === 'PKTINFO' && kind === 'ICMP' && family === 6) return 'ping sockets of IPv6 do not heed PKTINFO';
  if (kind === 'ICMP' && owner === "the node's" && (act === 'bind' || place === 'ordinary'))
    return 'some kernels let ping sockets share an identifier';
  if (act === 'connect' && (raw || kind === 'ICMP')) return 'it connects to an address, not to a port';
  if (raw && place === 'ordinary' && act !== 'bind') return 'an ordinary pod has no raw socket';
  if (raw && act !== 'send' && means !== 'plain')
    return 'a raw socket is bound by a request, which says a port and no more';
  if (raw && act === 'autobind' && owner !== 'own') return 'a request for any port is one for an own one';
  if (kind === 'ICMP' && act === 'autobind' && owner !== 'unowned') return 'the kernel counts identifiers up';
  if (kind === 'TCP' && act === 'send' && forges) return 'a connection has been made from an address';
  return undefined;
}

const refused = (errno: string): Outcome => ({ refused: errno });

export function expected(cell: Cell): Outcome {
  const why = inapplicable(cell);
  if (why !== undefined) return { not: why };
  if (isRaw(cell)) return expectedOfRaw(cell);
  // they would take any identifier past every hook
  if (cell.kind === 'ICMP' && cell.place === 'host') return refused('EACCES');
  const byAct = { bind: expectedOfBind, autobind: expectedOfChoice, connect: expectedOfConnect, send: expectedOfSend };
  return byAct[cell.act](cell);
}

/** A sliver gets one for what is its own, wherever it runs, and a pod without capabilities gets none by itself. */
function expectedOfRaw(cell: Cell): Outcome {
  const { act, owner, place, means } = cell;
  if (place === 'ordinary') return refused('EPERM');
  if (act !== 'send') return owner === 'own' ? 'allowed' : refused('EPERM');
  if (means === 'FREEBIND' || means === 'PKTINFO') return forgedAddress(cell);
  return owner === 'own' && means !== 'forged HDRINCL' ? 'allowed' : refused('EPERM');
}

/** IPv4 has no route from an address that the node has not; where there is one, the packet is dropped. */
function forgedAddress({ kind, family }: Cell): Outcome {
  return family === 4 ? refused('ENETUNREACH') : dropped({ kind, family });
}

/** TCP tries again, and ping sockets of IPv6 do not say what became of their packets. */
function dropped({ kind, family }: Pick<Cell, 'kind' | 'family'>): Outcome {
  return kind === 'TCP' || (kind === 'ICMP' && family === 6) ? 'silent' : refused('EPERM');
}

function expectedOfBind({ kind, owner, place, means }: Cell): Outcome {
  // whoever binds is asked, not whoever made the socket
  const asks = means === 'passed' ? 'other sliver' : place;
  if (place === 'pod') return 'allowed';
  // ping sockets are bound without a hook; what they send and see is judged
  if (kind === 'ICMP') return 'allowed';
  if (asks === 'ordinary') return owner === 'unowned' ? 'allowed' : refused('EADDRINUSE');
  if (owner === (asks === 'host' ? 'own' : "another's")) return 'allowed';
  return refused(owner === 'own' || owner === "another's" ? 'EADDRINUSE' : 'EACCES');
}

/** The kernel has no port to choose but the one. */
function expectedOfChoice(cell: Cell): Outcome {
  const { kind, owner, place, means, family } = cell;
  const forges = means === 'FREEBIND' || means === 'PKTINFO';
  if (place !== 'pod' && owner !== 'unowned') {
    if (means === 'FREEBIND') return refused('EADDRINUSE');
    return refused(kind === 'TCP' ? 'EADDRNOTAVAIL' : 'EAGAIN');
  }
  if (forges && family === 4) return refused('ENETUNREACH');
  if (place === 'ordinary') return 'allowed';
  if (forges) return forgedAddress(cell);
  return 'allowed';
}

/** To a port of the node's own address. */
function expectedOfConnect({ kind, owner, place, means, family }: Cell): Outcome {
  const isSliver = place === 'host' || (place === 'ordinary' && means === 'passed');
  if (isSliver && (owner === 'unowned' || owner === "the node's")) return refused('EACCES');
  if (means !== 'FREEBIND') return 'allowed';
  if (family === 4) return refused('ENETUNREACH');
  return kind === 'TCP' ? 'silent' : 'allowed';
}

/**
 * From a port that the socket is bound to. Of a sliver on the node's network: since a time when all of them were its own,
 * for it could not bind them else.
 */
function expectedOfSend(cell: Cell): Outcome {
  const { kind, owner, place, means, family } = cell;
  const forges = means === 'FREEBIND' || means === 'PKTINFO';
  if (place === 'ordinary' && owner !== 'unowned' && kind !== 'ICMP') return refused('EADDRINUSE');
  if (forges && family === 4) return refused('ENETUNREACH');
  if (forges && place !== 'ordinary') return forgedAddress(cell);
  if (place === 'host' && owner !== 'own') return dropped(cell);
  if (place === 'ordinary' && owner === "another's" && !forges) return dropped(cell);
  return 'allowed';
}
