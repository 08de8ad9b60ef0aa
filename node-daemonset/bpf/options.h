/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Options of sockets. The kernel asks for no capability where it takes a raw socket for one: by a single option its holder
 * would become the node's multicast router.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "sliver.h"

#define SOL_SOCKET 1
#define SOL_RAW 255

/*
 * What ping, traceroute and a user-level TCP set; whatever is not here is refused on raw sockets. IP_RECVERR is not: the
 * kernel puts errors into the queue of every raw socket of a protocol that goes by the addresses, past all filters, those
 * about others' packets, too. A socket that was granted for errors gets its own.
 */
static __always_inline int is_for_raw_sockets(__s32 level, __s32 name)
{
	switch (level) {
	case SOL_SOCKET:
		switch (name) {
		case 2: case 5: case 7: case 8: /* REUSEADDR, DONTROUTE, SNDBUF, RCVBUF */
		case 12: case 13: case 18: case 25: /* PRIORITY, LINGER, RCVLOWAT, BINDTODEVICE */
		case 20: case 21: case 66: case 67: /* RCVTIMEO, SNDTIMEO */
		case 26: case 27: case 44: /* ATTACH_FILTER, DETACH_FILTER, LOCK_FILTER: ours is locked */
		case 29: case 35: case 37: case 63: case 64: case 65: /* TIMESTAMP, TIMESTAMPNS, TIMESTAMPING */
		case 40: case 46: /* RXQ_OVFL, BUSY_POLL */
			return 1;
		}
		return 0;
	case IPPROTO_IP:
		switch (name) {
		case 1: case 2: case 3: case 4: /* TOS, TTL, HDRINCL, OPTIONS */
		case 6: case 7: case 8: case 10: /* RECVOPTS, RETOPTS, PKTINFO, MTU_DISCOVER */
		case 12: case 13: case 25: case 50: /* RECVTTL, RECVTOS, RECVFRAGSIZE, UNICAST_IF */
		case 15: /* FREEBIND: source addresses are judged */
			return 1;
		}
		return 0;
	case IPPROTO_IPV6:
		switch (name) {
		case 2: case 8: case 49: case 50: /* 2292PKTINFO, 2292HOPLIMIT, RECVPKTINFO, PKTINFO */
		case 7: case 11: case 16: case 23: case 24: /* CHECKSUM, FLOWINFO, UNICAST_HOPS, MTU_DISCOVER, MTU */
		case 26: case 33: case 36: case 51: case 52: /* V6ONLY, FLOWINFO_SEND, HDRINCL, RECVHOPLIMIT, HOPLIMIT */
		case 60: case 62: case 66: case 67: case 76: /* RECVPATHMTU, DONTFRAG, RECVTCLASS, TCLASS, UNICAST_IF */
		case 78: /* FREEBIND */
			return 1;
		}
		return 0;
	case SOL_RAW: /* ICMP_FILTER, IPV6_CHECKSUM */
	case IPPROTO_ICMPV6: /* ICMPV6_FILTER */
		return name == 1 || name == 7;
	}
	return 0;
}

/*
 * What ordinary sockets on the node's network may not do: SO_BROADCAST, join groups, for which the node itself sends
 * packets, and choose by IP_LOCAL_PORT_RANGE which port the kernel chooses.
 */
static __always_inline int is_for_nobody(__s32 level, __s32 name)
{
	if (level == SOL_SOCKET && name == 6)
		return 1;
	if (level == IPPROTO_IP && (name == 51 || name == 35 || name == 39 || name == 41))
		return 1;
	if (level == IPPROTO_IPV6 && (name == 20 || name == 27))
		return 1;
	/* MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP, MCAST_MSFILTER */
	return (level == IPPROTO_IP || level == IPPROTO_IPV6) && (name == 42 || name == 46 || name == 48);
}

#endif
