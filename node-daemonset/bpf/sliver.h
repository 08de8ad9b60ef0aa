/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the node manager writes and the programs read. Every struct has its twin in layout.ts; whoever changes one raises
 * the layout of its map there.
 */
#ifndef SLIVER_H
#define SLIVER_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define IPPROTO_ICMPV6 58 /* linux/in6.h does not go with the rest */

/* As in sensors/builtin/probe.ts and layout.ts; none of the bits that kube-proxy and the CNIs use. */
#define PROBE_MARK 46
#define SLIVER_MARK 44

#define MAX_SLIVERS 8192 /* tombstones are among them */
#define MAX_PORTS 65536
#define MAX_ADDRESSES 65536
#define MAX_BARRED 4096
#define MAX_PREFIXES 512 /* twice as many as an owner may name: those that come are written before others go */

/* On the minor of a sliver's class: its second class, for exempt destinations. As in egress/names.ts. */
#define EXEMPT_CLASS 0x8000

/* struct sliver's flags */
#define SLIVER_READY 1 /* its address is known and leads to its class: it may send */
#define SLIVER_HOST 2  /* on the node's network */
#define SLIVER_RAW 4   /* may have raw sockets */
#define SLIVER_ENDED 16 /* a tombstone */

/* In the order of DROPS in kernel.ts. */
enum drop { UNREADY, ENDED, ADDRESS, PORT, PROTOCOL, MALFORMED, DESTINATION, GRANT, ECHO_RATE, OPTION_RATE, NOT_FOR_IT,
	REFUSED, DROPS };

struct settings {
	__u64 kubepods; /* id of the cgroup that the programs are attached to */
	__u64 netns;    /* cookie of the node's network namespace */
	__u64 manager;  /* id of the node manager's own pod, 0 where it is in none */
	__u16 first_port, last_port; /* what the kernel chooses from for sockets that name no port */
	__u32 sockets; /* that each sliver on the node's network may have open at once */
};

struct sliver {
	__u32 flags;
	__u32 priority;   /* HTB class id */
	__u32 generation; /* of its right to raw sockets */
	__u32 echo_rate, option_rate; /* packets a second */
};

struct port {
	__u16 port; /* host order; the echo identifier of ICMP */
	__u8 protocol; /* ICMP stands for ICMPv6, too */
	__u8 padding;
};

/* Values of addresses. */
#define ADDRESS_OWN 1
#define ADDRESS_BROADCAST 2 /* it reaches the node's listeners, and nothing comes from it */

struct address {
	__u32 sliver; /* 0: the node's */
	__u8 bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

/* Addresses of a family; `bits` of what follows are compared. */
struct prefix {
	__u32 bits;
	__u32 family; /* 4 or 6 */
	__u8 bytes[16];
};

/* Written by the programs alone. Virtual scheduling: when the next packet would be due at the sliver's rate. */
struct buckets {
	struct bpf_spin_lock lock;
	__u32 padding;
	__u64 echo_due, option_due; /* ns of CLOCK_MONOTONIC */
};

struct counters {
	__u64 packets, bytes;
	__u64 drops[DROPS];
};

/* In the storage of every socket that a sliver made, and of those that were accepted by it: whose it is, whoever holds it. */
struct mark {
	__u32 sliver;
	__u32 named;  /* it was bound to a port that its sliver owned: it is no client that the kernel chose one for */
	__u64 cookie; /* of the socket that was counted; what was accepted by it has another */
};

/* In a raw socket's storage. */
struct raw_grant {
	__u32 sliver, generation;
	__u16 port, errors_port;
	__u8 family, protocol, errors_protocol, padding; /* family: 4 or 6 */
};

#endif
