/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The maps that the programs on sockets and those on packets share, by their pins; and who a packet or a task belongs to. */
#ifndef MAPS_H
#define MAPS_H

#include "sliver.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* A pod's cgroup v2 id -> the number of its sliver. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SLIVERS);
	__type(key, __u64);
	__type(value, __u32);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SLIVERS);
	__type(key, __u32);
	__type(value, struct sliver);
} slivers SEC(".maps");

/* Ports of the node's address -> the number of the sliver that owns it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port);
	__type(value, __u32);
} ports SEC(".maps");

/* Ports on which a raw socket of a sliver is open: an ordinary one beside it would answer what is for it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct port);
	__type(value, __u32);
} raw_ports SEC(".maps");

/* Of slivers with an address of their own, and of the node; and its broadcast addresses. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_ADDRESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, MAX_SLIVERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

/*
 * How deep the attach cgroup is in the kernel's own tree, of which a mount may show only a part; found by the first packet
 * or task that belongs there. `level_of`: the cgroup that it is the depth of.
 */
static volatile __u32 level;
static volatile __u64 level_of;

#define MAX_LEVEL 12

#define FIND_LEVEL(settings, ancestor_at)                          \
	for (__u32 at = 1; at <= MAX_LEVEL; at++)                  \
		if (ancestor_at == (settings)->kubepods) {         \
			level = at;                                \
			level_of = (settings)->kubepods;           \
			break;                                     \
		}

static __always_inline const struct settings *get_settings(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline __u32 number_of(__u64 cgroup)
{
	__u32 *number = cgroup ? bpf_map_lookup_elem(&cgroups, &cgroup) : 0;
	return number ? *number : 0;
}

/* The sliver that the running task belongs to; 0: none. Pods are one or two levels below the attach cgroup. */
static __always_inline __u32 sliver_of_task(const struct settings *s)
{
	if (level_of != s->kubepods)
		FIND_LEVEL(s, bpf_get_current_ancestor_cgroup_id(at));
	if (level_of != s->kubepods)
		return 0;
	__u32 number = number_of(bpf_get_current_ancestor_cgroup_id(level + 2));
	return number ? number : number_of(bpf_get_current_ancestor_cgroup_id(level + 1));
}

static __always_inline __u32 owner_of(__u16 port, __u8 protocol)
{
	struct port key = {.port = port, .protocol = protocol};
	__u32 *number = bpf_map_lookup_elem(&ports, &key);
	return number ? *number : 0;
}

static __always_inline int is_raw(__u16 port, __u8 protocol)
{
	struct port key = {.port = port, .protocol = protocol};
	return bpf_map_lookup_elem(&raw_ports, &key) != 0;
}

/* ADDRESS_...; 0: none of its. */
static __always_inline __u32 address_of(__u32 sliver, const __u8 *bytes)
{
	struct address key = {.sliver = sliver};
	__builtin_memcpy(key.bytes, bytes, 16);
	__u32 *kind = bpf_map_lookup_elem(&addresses, &key);
	return kind ? *kind : 0;
}

static __always_inline int is_own_address(__u32 sliver, const __u8 *bytes)
{
	return address_of(sliver, bytes) == ADDRESS_OWN;
}

/* Interfaces by which nothing of slivers may leave, by their indices. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_BARRED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} barred SEC(".maps");

/* Destinations that the owner's limit does not count. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} exempt SEC(".maps");

/* How many sockets a sliver has open. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SLIVERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} open_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct mark);
} marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct raw_grant);
} raw_sockets SEC(".maps");

/* A row of counters is made by the node manager; sliver 0 is whoever else was refused something. */
static __always_inline void count_drop(__u32 sliver, enum drop why)
{
	struct counters *row = bpf_map_lookup_elem(&counters, &sliver);
	if (row)
		row->drops[why]++;
}

/* 127.0.0.0/8, ::1, and the unspecified addresses, which mean the same to connect(2). */
static __always_inline int is_loopback(const __u8 *bytes)
{
	const __u32 *words = (const __u32 *)bytes;
	if (words[0] || words[1])
		return 0;
	if (words[2] == bpf_htonl(0xffff))
		return bytes[12] == 127 || !words[3];
	return !words[2] && (!words[3] || words[3] == bpf_htonl(1));
}

static __always_inline int is_link_local(const __u8 *bytes)
{
	const __u32 *words = (const __u32 *)bytes;
	if (words[0] || words[1])
		return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
	return words[2] == bpf_htonl(0xffff) && bytes[12] == 169 && bytes[13] == 254;
}

/* Multicast, and IPv4's limited broadcast: whoever listens on the node hears what is sent there. */
static __always_inline int is_for_many(const __u8 *bytes)
{
	const __u32 *words = (const __u32 *)bytes;
	if (words[0] || words[1])
		return bytes[0] == 0xff;
	return words[2] == bpf_htonl(0xffff) && ((bytes[12] & 0xf0) == 0xe0 || words[3] == 0xffffffff);
}

#define SENSOR_PORT 33080

/*
 * Where a sliver on the node's network may not go: loopback but for the sensors and its own ports, link-local, multicast
 * and broadcast addresses, and at the node's addresses whatever is no port of some sliver. Answers from an own UDP port to
 * a client on this node go to a port that the kernel chose for that client. `at_home`: it is known to stay on the node,
 * which also anycast addresses and routes of type local do.
 */
static __always_inline int is_forbidden(const struct settings *s, __u32 sliver, __u8 protocol, const __u8 *to, __u16 port,
	__u16 from_port, int at_home)
{
	if (is_link_local(to) || is_for_many(to))
		return 1;
	int loopback = is_loopback(to);
	__u32 kind = loopback ? 0 : address_of(0, to);
	if (kind == ADDRESS_BROADCAST)
		return 1;
	if (!loopback && !kind && !at_home)
		return 0;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return loopback;
	if (loopback && protocol == IPPROTO_TCP && port == SENSOR_PORT)
		return 0;
	__u32 owner = owner_of(port, protocol);
	if (owner == sliver || (owner && !loopback))
		return 0;
	return owner || protocol != IPPROTO_UDP || port < s->first_port || port > s->last_port ||
		owner_of(from_port, protocol) != sliver;
}

#endif
