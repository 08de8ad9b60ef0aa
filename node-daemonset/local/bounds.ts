/** What a sliver may have of the node manager, and by it of the operator and the API server, over its local API. */
export const LOCAL_BOUNDS = {
  /** Connections of one sliver, and of all; one request at a time on each. */
  connections: 4,
  connectionsInAll: 128,
  /** Connections that one sliver may open a second; beyond it they wait in the kernel. */
  connects: { perSecond: 10, burst: 20 },
  /** Requests of one sliver; beyond it they are refused. */
  requests: { perSecond: 20, burst: 40 },
  /** Those among them that go to the operator: each is a few writes to the API server. */
  operations: { perSecond: 2, burst: 30 },
  /** Operations under way, of one sliver and of all; the SliceNode's schema has room for the latter. */
  waiting: 4,
  waitingInAll: 16,
  /** Of a request's body, and of its path. */
  bodyBytes: 8_192,
  pathBytes: 256,
  /** Characters of a request's `spec`, as the SliceNode's schema has it: a longer one would keep all others from being written. */
  specLength: 8_192,
  /** So long the operator has to do what is asked for, and the node itself to grant it after that. */
  operationMs: 10_000,
  decisionMs: 5_000,
  /** A connection on which nothing moves for so long is over. */
  stillMs: 30_000,
  /** So long whoever is turned away may take to hear it. */
  lingerMs: 1_000,
  /** One line in the log for each sliver and kind of refusal in so long; all are counted. */
  logMs: 60_000,
};
