/** What a sliver may have of the node manager's memory, descriptors and time; a hostile one gets no more. */
export const BOUNDS = {
  /** Connections of one sliver, and of all. */
  connections: 8,
  connectionsInAll: 256,
  /** Connections that one sliver may open a second; beyond it they wait in the kernel. */
  connectsPerSecond: 20,
  /** Requests of one sliver a second; beyond it they wait. */
  requestsPerSecond: 10,
  burst: 20,
  /** How long a connection may be open without a request, or with half of one. */
  idleMs: 5_000,
  /** Raw sockets of one sliver, whether it took them from the connection or not. */
  rawSockets: 64,
  /** Sniffers of one sliver, and of all: each costs every packet of the node a look. */
  sniffers: 2,
  sniffersInAll: 32,
  /** Administrative sniffers of all; those of a sliver count as sniffers. */
  auditsInAll: 4,
  /** Bytes that a sniffer holds back for a reader that is slow; packets beyond are counted and told. */
  snifferBuffer: 256 * 1024,
};
