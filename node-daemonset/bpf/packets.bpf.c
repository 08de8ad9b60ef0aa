/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What sockets of slivers send and what raw sockets see. A socket is for ever the sliver's that made it, whoever holds it,
 * also when that sliver is long gone: then nothing leaves by it any more. Sockets of type stream and datagram are judged by their own port,
 * which the kernel guarantees: packets come here after NAT, which may have put another one into them. Only raw sockets are
 * judged by the headers that they wrote.
 */
#include "maps.h"
#include "parse.h"
#include "raw.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PASS 1
#define DROP 0

#define AF_INET 2

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3

#define TCP_SYN 2
#define TCP_ACK 16

#define SECOND 1000000000ULL

#define LOOPBACK_INTERFACE 1 /* in every network namespace */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SLIVERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct buckets);
} buckets SEC(".maps");

static __always_inline int drop(__u32 number, enum drop why)
{
	count_drop(number, why);
	return DROP;
}

static __always_inline __u64 ancestor(struct __sk_buff *skb, const struct settings *s, __u32 below)
{
	if (level_of != s->kubepods)
		FIND_LEVEL(s, bpf_skb_ancestor_cgroup_id(skb, at));
	if (level_of != s->kubepods)
		return 0;
	return bpf_skb_ancestor_cgroup_id(skb, level + below);
}

/* The sliver in whose cgroup the packet's socket was made; 0: none. */
static __always_inline __u32 sliver_of_packet(struct __sk_buff *skb, const struct settings *s)
{
	__u32 number = number_of(ancestor(skb, s, 2));
	return number ? number : number_of(ancestor(skb, s, 1));
}

/* Sockets without a mark: older than these programs, or made by the kernel itself for one of another family. */
static __always_inline struct mark *mark_late(struct bpf_sock *sk, __u32 number)
{
	struct mark fresh = {.sliver = number, .named = owner_of(sk->src_port, sk->protocol) == number};
	return bpf_sk_storage_get(&marks, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline int is_managers(struct __sk_buff *skb, const struct settings *s)
{
	return s->manager && (ancestor(skb, s, 2) == s->manager || ancestor(skb, s, 1) == s->manager);
}

/* A raw socket of the node manager that was made to be passed on, and has no grant yet. Its own probes carry a mark, which
 * takes CAP_NET_ADMIN to set. */
static __always_inline int is_unbound(struct __sk_buff *skb, const struct settings *s, struct bpf_sock *sk)
{
	return sk->mark != PROBE_MARK && is_managers(skb, s);
}

/* What is allowed in three seconds may come at once: traceroute begins with 16. `due` is that of the sliver's bucket. */
static __always_inline int is_over(struct buckets *bucket, __u64 *due, __u32 rate, __u32 packets)
{
	if (!rate)
		return 1;
	__u64 now = bpf_ktime_get_ns();
	int over;
	bpf_spin_lock(&bucket->lock);
	__u64 next = *due > now ? *due : now;
	over = next > now + 3 * SECOND;
	if (!over)
		*due = next + packets * (SECOND / rate);
	bpf_spin_unlock(&bucket->lock);
	return over;
}

/* What slivers with addresses of their own send is told by nftables as it is forwarded. */
static __always_inline __u32 class_of(const struct sliver *sliver, const struct packet *p)
{
	struct prefix key = {.bits = 8 * (sizeof(key) - sizeof(key.bits)), .family = p->family};
	__builtin_memcpy(key.bytes, p->destination, 16);
	return bpf_map_lookup_elem(&exempt, &key) ? sliver->priority | EXEMPT_CLASS : sliver->priority;
}

/* The owner's limits on kinds of packets; then the class that it leaves in, and its count. */
static __always_inline int send(struct __sk_buff *skb, __u32 number, const struct sliver *sliver, const struct packet *p,
	int on_node)
{
	__u32 packets = skb->gso_segs > 1 ? skb->gso_segs : 1;
	int echo = is_echo_request(p);
	if (echo || p->options) {
		struct buckets *bucket = bpf_map_lookup_elem(&buckets, &number);
		if (!bucket)
			return drop(number, UNREADY);
		if (echo && is_over(bucket, &bucket->echo_due, sliver->echo_rate, packets))
			return drop(number, ECHO_RATE);
		if (p->options && is_over(bucket, &bucket->option_due, sliver->option_rate, packets))
			return drop(number, OPTION_RATE);
	}
	if (on_node)
		skb->priority = class_of(sliver, p);
	struct counters *row = bpf_map_lookup_elem(&counters, &number);
	if (row) {
		row->packets += packets;
		row->bytes += skb->len;
	}
	return PASS;
}

static __always_inline __u8 port_protocol(const struct packet *p)
{
	return p->protocol == IPPROTO_ICMPV6 ? IPPROTO_ICMP : p->protocol;
}

static __always_inline int is_known_protocol(const struct packet *p)
{
	if (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP)
		return 1;
	return (p->protocol == IPPROTO_ICMP) == (p->family == 4) && is_echo_request(p);
}

/* Where the owner lets slivers' packets leave by lines alone. */
static __always_inline int is_barred(struct __sk_buff *skb)
{
	__u32 interface = skb->ifindex;
	return bpf_map_lookup_elem(&barred, &interface) != 0;
}

/* The node's listeners are reached by a connection or a datagram; what answers a connection is let pass. */
static __always_inline int goes_astray(struct __sk_buff *skb, const struct settings *s, __u32 number,
	const struct packet *p)
{
	int at_home = skb->ifindex == LOOPBACK_INTERFACE;
	if (!at_home && is_barred(skb))
		return 1;
	if (p->protocol == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return is_link_local(p->destination);
	return is_forbidden(s, number, p->protocol, p->destination, p->destination_port, p->source_port, at_home);
}

static __always_inline int send_raw(struct __sk_buff *skb, const struct settings *s, const struct raw_grant *grant)
{
	__u32 number = grant->sliver;
	const struct sliver *sliver = live_grant(grant);
	struct packet p;
	if (!sliver)
		return drop(number, GRANT);
	if (parse(skb, &p) || p.fragment || p.routed)
		return drop(number, MALFORMED);
	if (p.family != grant->family || p.protocol != grant->protocol || !is_known_protocol(&p))
		return drop(number, PROTOCOL);
	if (p.source_port != grant->port || !owns(number, p.source_port, port_protocol(&p)))
		return drop(number, PORT);
	if (!is_own_address(0, p.source))
		return drop(number, ADDRESS);
	if (goes_astray(skb, s, number, &p))
		return drop(number, DESTINATION);
	return send(skb, number, sliver, &p, 1);
}

/* From a port that the kernel chose for a client: it accepts no connection there. */
static __always_inline int is_clients(const struct settings *s, const struct bpf_sock *sk, const struct mark *mark,
	const struct packet *p, __u16 port)
{
	if (sk->type == SOCK_RAW || mark->named || port < s->first_port || port > s->last_port)
		return 0;
	if (p->protocol == IPPROTO_TCP)
		return (p->tcp_flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK);
	return p->protocol == IPPROTO_UDP;
}

/* Packets of a connection have their socket's own address, unless a rule of the node's gave them another on their way. */
static __always_inline int is_translated(const struct bpf_sock *sk)
{
	/* each by itself: the verifier takes no pointer to a part of a socket */
	const volatile struct bpf_sock *s = sk;
	__u32 v4[4] = {0, 0, bpf_htonl(0xffff), s->src_ip4};
	__u32 v6[4] = {s->src_ip6[0], s->src_ip6[1], s->src_ip6[2], s->src_ip6[3]};
	return sk->type == SOCK_STREAM && is_own_address(0, (const __u8 *)(sk->family == AF_INET ? v4 : v6));
}

/*
 * Pods that are no slivers. Sockets that take ports are kept from owned ones when they do; those that take them past every
 * hook, or write headers, when they send them from the node's address.
 */
static __always_inline int send_as_stranger(struct __sk_buff *skb, const struct bpf_sock *sk)
{
	struct packet p;
	if (sk->type == SOCK_STREAM || (sk->type == SOCK_DGRAM && sk->protocol == IPPROTO_UDP))
		return PASS;
	if (parse(skb, &p) || !is_known_protocol(&p) || !is_own_address(0, p.source))
		return PASS;
	return owner_of(p.source_port, port_protocol(&p)) ? drop(0, PORT) : PASS;
}

SEC("cgroup_skb/egress")
int sliver_egress(struct __sk_buff *skb)
{
	const struct settings *s = get_settings();
	struct bpf_sock *sk = skb->sk;
	sk = sk ? bpf_sk_fullsock(sk) : 0;
	if (!s || !sk)
		return PASS;
	if (sk->type == SOCK_RAW) {
		struct raw_grant *grant = bpf_sk_storage_get(&raw_sockets, sk, 0, 0);
		if (grant)
			return send_raw(skb, s, grant);
		if (is_unbound(skb, s, sk))
			return drop(0, GRANT);
	}
	struct mark *mark = bpf_sk_storage_get(&marks, sk, 0, 0);
	__u32 number = mark ? mark->sliver : sliver_of_packet(skb, s);
	if (!number)
		return send_as_stranger(skb, sk);
	if (!mark && !(mark = mark_late(sk, number)))
		return drop(number, UNREADY);
	const struct sliver *sliver = bpf_map_lookup_elem(&slivers, &number);
	if (!sliver || sliver->flags & SLIVER_ENDED) {
		/* of a pod that lives: a node manager that lost what it knew gives it another number */
		__u32 another = sliver_of_packet(skb, s);
		sliver = bpf_map_lookup_elem(&slivers, &another);
		if (!sliver || sliver->flags & SLIVER_ENDED)
			return drop(number, ENDED);
		mark->sliver = number = another;
	}
	struct packet p;
	if (parse(skb, &p) || p.fragment || p.routed)
		return drop(number, MALFORMED);
	__u32 on_node = sliver->flags & SLIVER_HOST;
	int loopback = is_loopback(p.source) && is_loopback(p.destination);
	if (!on_node && loopback)
		return PASS; /* a pod's own, and no packet's of anyone else */
	if (!(sliver->flags & SLIVER_READY))
		return drop(number, UNREADY);
	if (!is_known_protocol(&p))
		return drop(number, PROTOCOL);
	if (!loopback && !is_own_address(on_node ? 0 : number, p.source) && !(on_node && is_translated(sk)))
		return drop(number, ADDRESS);
	if (!on_node)
		return send(skb, number, sliver, &p, 0);
	__u16 port = sk->type == SOCK_RAW ? p.source_port : sk->src_port;
	__u32 owner = owner_of(port, port_protocol(&p));
	if (owner != number && (owner || !is_clients(s, sk, mark, &p, port)))
		return drop(number, PORT);
	p.source_port = port;
	if (goes_astray(skb, s, number, &p))
		return drop(number, DESTINATION);
	return send(skb, number, sliver, &p, 1);
}

SEC("cgroup_skb/ingress")
int sliver_ingress(struct __sk_buff *skb)
{
	const struct settings *s = get_settings();
	struct bpf_sock *sk = skb->sk;
	sk = sk ? bpf_sk_fullsock(sk) : 0;
	if (!s || !sk || sk->type == SOCK_STREAM || (sk->type == SOCK_DGRAM && sk->protocol == IPPROTO_UDP))
		return PASS;
	struct packet p;
	int bad = parse(skb, &p);
	if (sk->type == SOCK_RAW) {
		struct raw_grant *grant = bpf_sk_storage_get(&raw_sockets, sk, 0, 0);
		if (grant)
			return !bad && may_see(skb, grant, &p) ? PASS : drop(grant->sliver, NOT_FOR_IT);
		if (is_unbound(skb, s, sk))
			return DROP; /* made, and not yet bound to a grant */
	}
	if (bad)
		return PASS;
	if (!is_echo_reply(&p) || !is_own_address(0, p.destination))
		return PASS;
	__u32 owner = owner_of(p.source_port, IPPROTO_ICMP);
	struct mark *mark = bpf_sk_storage_get(&marks, sk, 0, 0);
	__u32 number = mark ? mark->sliver : sliver_of_packet(skb, s);
	return number ? (owner == number ? PASS : drop(number, NOT_FOR_IT)) : owner ? drop(0, NOT_FOR_IT) : PASS;
}
