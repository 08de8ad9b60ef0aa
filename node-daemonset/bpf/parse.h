/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* An IP packet's addresses, protocol and ports, from its network header on; both families, extension headers walked. */
#ifndef PARSE_H
#define PARSE_H

#include "sliver.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

#define MAX_EXTENSIONS 8

struct packet {
	__u8 source[16], destination[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 family; /* 4 or 6 */
	__u8 protocol; /* of the first header that is no extension */
	__u8 fragment; /* 1: a part of one, 2: a part without ports */
	__u8 options; /* IPv4 options or IPv6 extension headers */
	__u8 icmp_type, icmp_code;
	__u8 tcp_flags;
	__u8 routed; /* an IPv6 routing header: its destination is another one */
	__u16 source_port, destination_port; /* host order; source_port of ICMP echo: the identifier */
	__u32 transport; /* where the transport header is, from the network header */
};

static __always_inline int load(struct __sk_buff *skb, __u32 at, void *to, __u32 length)
{
	return bpf_skb_load_bytes_relative(skb, at, to, length, BPF_HDR_START_NET);
}

static __always_inline void map_ipv4(__u8 *bytes, __u32 address)
{
	__u32 *words = (__u32 *)bytes;
	words[0] = words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

static __always_inline int is_echo_request(const struct packet *p)
{
	return p->protocol == IPPROTO_ICMP ? p->icmp_type == ICMP_ECHO :
		p->protocol == IPPROTO_ICMPV6 && p->icmp_type == ICMPV6_ECHO;
}

static __always_inline int is_echo_reply(const struct packet *p)
{
	return p->protocol == IPPROTO_ICMP ? p->icmp_type == ICMP_ECHO_REPLY :
		p->protocol == IPPROTO_ICMPV6 && p->icmp_type == ICMPV6_ECHO_REPLY;
}

struct ipv4_header {
	__u8 version_length, service;
	__u16 length, id, fragment;
	__u8 ttl, protocol;
	__u16 checksum;
	__u32 source, destination;
};

struct ipv6_header {
	__u32 version_class_flow;
	__u16 length;
	__u8 next, hops;
	__u8 addresses[32];
};

static __always_inline int parse_ipv4(struct __sk_buff *skb, __u32 at, struct packet *p)
{
	struct ipv4_header h;
	if (load(skb, at, &h, sizeof(h)) || h.version_length >> 4 != 4 || (h.version_length & 15) < 5)
		return -1;
	p->family = 4;
	p->protocol = h.protocol;
	p->options = (h.version_length & 15) > 5;
	p->fragment = h.fragment & bpf_htons(0x1fff) ? 2 : h.fragment & bpf_htons(0x2000) ? 1 : 0;
	map_ipv4(p->source, h.source);
	map_ipv4(p->destination, h.destination);
	p->transport = at + (h.version_length & 15) * 4;
	return 0;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, __u32 at, struct packet *p)
{
	struct ipv6_header h;
	if (load(skb, at, &h, sizeof(h)) || (h.version_class_flow & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return -1;
	p->family = 6;
	__builtin_memcpy(p->source, h.addresses, 32);
	__u8 next = h.next;
	at += sizeof(h);
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 extension[4];
		/* hop-by-hop, routing, fragment, authentication, destination options, mobility */
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60 && next != 135)
			break;
		if (load(skb, at, extension, 4))
			return -1;
		if (next == 43)
			p->routed = 1;
		if (next == 44)
			p->fragment = extension[2] || extension[3] & 0xf8 ? 2 : 1;
		else
			p->options = 1;
		at += next == 44 ? 8 : next == 51 ? (extension[1] + 2) * 4 : (extension[1] + 1) * 8;
		next = extension[0];
		if (p->fragment == 2)
			break; /* what follows is data */
	}
	p->protocol = next;
	p->transport = at;
	return 0;
}

/* Ports and what else the transport header says; of TCP's, errors quote 8 bytes at least. */
static __always_inline int parse_transport(struct __sk_buff *skb, struct packet *p, __u32 tcp_length)
{
	__u8 h[16] = {};
	if (p->protocol == IPPROTO_TCP) {
		if (load(skb, p->transport, h, tcp_length))
			return -1;
		p->tcp_flags = h[13];
	} else if (p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
		if (load(skb, p->transport, h, 8))
			return -1;
	} else {
		return 0;
	}
	if (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) {
		p->source_port = h[0] << 8 | h[1];
		p->destination_port = h[2] << 8 | h[3];
		return 0;
	}
	p->icmp_type = h[0];
	p->icmp_code = h[1];
	if (is_echo_request(p) || is_echo_reply(p))
		p->source_port = h[4] << 8 | h[5];
	return 0;
}

/* 0, or less where it is no IP packet or ends within a header. The packet's fields are all set or 0. */
static __always_inline int parse(struct __sk_buff *skb, struct packet *p)
{
	__builtin_memset(p, 0, sizeof(*p));
	int bad = skb->protocol == bpf_htons(ETH_P_IP) ? parse_ipv4(skb, 0, p) :
		skb->protocol == bpf_htons(ETH_P_IPV6) ? parse_ipv6(skb, 0, p) : -1;
	return bad || p->fragment == 2 ? bad : parse_transport(skb, p, 14);
}

/* The packet that an ICMP error is about. */
static __always_inline int parse_quoted(struct __sk_buff *skb, const struct packet *error, struct packet *p)
{
	__u32 at = error->transport + 8;
	__builtin_memset(p, 0, sizeof(*p));
	int bad = error->family == 4 ? parse_ipv4(skb, at, p) : parse_ipv6(skb, at, p);
	return bad || p->fragment == 2 ? -1 : parse_transport(skb, p, 8);
}

#endif
