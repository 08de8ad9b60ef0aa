/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Raw sockets: what each one was granted, whether it still is, and what it may see. */
#ifndef RAW_H
#define RAW_H

#include "maps.h"
#include "parse.h"

/* A raw socket's right is looked up anew for every packet: what is not there is no right. */
static __always_inline const struct sliver *live_grant(const struct raw_grant *grant)
{
	__u32 number = grant->sliver;
	const struct sliver *sliver = bpf_map_lookup_elem(&slivers, &number);
	if (!sliver || (sliver->flags & (SLIVER_READY | SLIVER_RAW | SLIVER_ENDED)) != (SLIVER_READY | SLIVER_RAW))
		return 0;
	return sliver->generation == grant->generation ? sliver : 0;
}

static __always_inline int owns(__u32 number, __u16 port, __u8 protocol)
{
	return port && owner_of(port, protocol) == number;
}

/* Errors about a packet of the holder's: the packet is quoted behind the error's own 8 bytes. */
static __always_inline int is_error_for(struct __sk_buff *skb, const struct raw_grant *grant, const struct packet *p)
{
	int error = p->family == 4 ? p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12 :
		p->icmp_type >= 1 && p->icmp_type <= 4;
	struct packet quoted;
	if (!error || parse_quoted(skb, p, &quoted) || !is_own_address(0, quoted.source))
		return 0;
	if (grant->port && quoted.protocol == grant->protocol && is_echo_request(&quoted))
		return quoted.source_port == grant->port && owns(grant->sliver, grant->port, IPPROTO_ICMP);
	return grant->errors_port && quoted.protocol == grant->errors_protocol && quoted.source_port == grant->errors_port &&
		owns(grant->sliver, grant->errors_port, grant->errors_protocol);
}

static __always_inline int may_see(struct __sk_buff *skb, const struct raw_grant *grant, const struct packet *p)
{
	if (!live_grant(grant) || p->family != grant->family || p->protocol != grant->protocol || p->fragment ||
		!is_own_address(0, p->destination))
		return 0;
	if (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP)
		return p->destination_port == grant->port && owns(grant->sliver, grant->port, p->protocol);
	if (is_echo_reply(p))
		return p->source_port == grant->port && owns(grant->sliver, grant->port, IPPROTO_ICMP);
	return is_error_for(skb, grant, p);
}

#endif
