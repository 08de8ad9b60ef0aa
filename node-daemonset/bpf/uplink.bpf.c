/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Who sent what by an uplink: every packet passes here once, with its headers as they are on the wire and its HTB class in
 * skb->priority, before it is queued. Maps may be full and slivers may scan: no byte is lost for that, only detail.
 */
#include "parse.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NEXT -1 /* to whoever else is attached, and on */

#define MAX_FLOWS 131072
#define REST 255 /* the protocol of rows without detail */

struct flow {
	__u32 sliver;
	__u8 source[16], destination[16];
	__u16 source_port, destination_port; /* ICMP: identifier, type * 256 + code */
	__u8 protocol, family, padding[2];
};

struct flow_total {
	__u64 first, last; /* ns of CLOCK_MONOTONIC */
	__u64 packets, bytes;
	__u32 tcp_flags;
	__u32 rows; /* in rows of protocol REST: of the sliver, and of sliver 0 those beyond the slivers' quotas */
};

struct uplink_settings {
	__u32 quota;  /* rows that each sliver is sure of */
	__u32 shared; /* rows beyond, for whoever comes first */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct uplink_settings);
} uplink_settings SEC(".maps");

/* HTB class id -> the number of its sliver. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SLIVERS);
	__type(key, __u32);
	__type(value, __u32);
} classes SEC(".maps");

/* Two, so that one is filled while the other is emptied; the node manager puts the one to fill into `flows`. */
struct flow_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FLOWS);
	__type(key, struct flow);
	__type(value, struct flow_total);
} flows_a SEC(".maps"), flows_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct flow_map);
} flows SEC(".maps") = {.values = {&flows_a}};

/* `wire_len` is what the queue below counts: of a packet that is yet to be cut into frames, all their headers too. */
static __always_inline void add(struct flow_total *row, struct __sk_buff *skb, __u8 tcp_flags, __u64 now)
{
	row->last = now;
	if (tcp_flags & ~row->tcp_flags)
		__sync_fetch_and_or(&row->tcp_flags, tcp_flags);
	__sync_fetch_and_add(&row->packets, skb->gso_segs > 1 ? skb->gso_segs : 1);
	__sync_fetch_and_add(&row->bytes, skb->wire_len);
}

/* The row of a key; another processor may make it at the same time. 0 where the map is full. */
static __always_inline struct flow_total *make_row(void *map, const struct flow *key, __u64 now)
{
	struct flow_total empty = {.first = now};
	bpf_map_update_elem(map, key, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

static __always_inline struct flow_total *rest_of(void *map, __u32 sliver, __u64 now)
{
	struct flow key = {.sliver = sliver, .protocol = REST};
	struct flow_total *row = bpf_map_lookup_elem(map, &key);
	return row ? row : make_row(map, &key, now);
}

/* A row within the sliver's quota, else of those that all share, else none. */
static __always_inline int may_have_row(struct flow_total *rest, struct flow_total *nobodys, __u32 zero)
{
	const struct uplink_settings *s = bpf_map_lookup_elem(&uplink_settings, &zero);
	if (!s)
		return 0;
	if (rest->rows < s->quota) {
		__sync_fetch_and_add(&rest->rows, 1);
		return 1;
	}
	if (nobodys->rows >= s->shared)
		return 0;
	__sync_fetch_and_add(&nobodys->rows, 1);
	return 1;
}

static __always_inline void count(struct __sk_buff *skb)
{
	__u32 zero = 0, class = skb->priority;
	__u64 now = bpf_ktime_get_ns();
	struct flow_total *row, *nobodys;
	struct flow key = {};
	struct packet p;
	void *map = bpf_map_lookup_elem(&flows, &zero);
	if (!map)
		return;
	__u32 *number = bpf_map_lookup_elem(&classes, &class);
	if (!number || parse(skb, &p)) {
		row = rest_of(map, number ? *number : 0, now);
		if (row)
			add(row, skb, 0, now);
		return;
	}
	key.sliver = *number;
	key.family = p.family;
	key.protocol = p.protocol;
	key.source_port = p.source_port;
	key.destination_port = p.protocol == IPPROTO_ICMP || p.protocol == IPPROTO_ICMPV6 ?
		p.icmp_type << 8 | p.icmp_code : p.destination_port;
	__builtin_memcpy(key.source, p.source, 32);
	row = bpf_map_lookup_elem(map, &key);
	if (!row) {
		struct flow_total *rest = rest_of(map, *number, now);
		nobodys = rest_of(map, 0, now);
		if (rest && nobodys && may_have_row(rest, nobodys, zero))
			row = make_row(map, &key, now);
		if (!row)
			row = rest;
	}
	if (row)
		add(row, skb, p.tcp_flags, now);
}

SEC("tc")
int sliver_uplink(struct __sk_buff *skb)
{
	count(skb);
	return NEXT;
}
