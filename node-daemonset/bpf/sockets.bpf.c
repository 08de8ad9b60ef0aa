/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What sockets of pods may do on the node's network: which may be made, which ports they bind, where they connect to. Pods
 * with a network of their own are left alone. Errors here are for people: packets are judged again on their way out.
 */
#include "maps.h"
#include "raw.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ALLOW 1
#define ALLOW_WITHOUT_CAPABILITY 3
#define REFUSE 0

#define SOCK_STREAM 1
#define SOCK_DGRAM 2

#define SOL_IP 0
#define SOL_IPV6 41
#define IP_RECVERR 11
#define IPV6_RECVERR 25

#define EPERM 1
#define EACCES 13
#define EADDRINUSE 98

static __always_inline int refuse(__u32 sliver, int error)
{
	count_drop(sliver, REFUSED);
	bpf_set_retval(-error);
	return REFUSE;
}

static __always_inline __u8 port_protocol(__u32 protocol)
{
	return protocol == IPPROTO_MPTCP ? IPPROTO_TCP : protocol == IPPROTO_ICMPV6 ? IPPROTO_ICMP : protocol;
}

static __always_inline const struct sliver *on_node(__u32 number)
{
	const struct sliver *sliver = number ? bpf_map_lookup_elem(&slivers, &number) : 0;
	return sliver && sliver->flags & SLIVER_HOST ? sliver : 0;
}

/* A port with an owner is for the owner alone, and for raw sockets or ordinary ones; a sliver binds no other. 0 is the kernel's to choose. */
static __always_inline int judge_bind(struct bpf_sock_addr *ctx)
{
	const struct settings *s = get_settings();
	if (!s || bpf_get_netns_cookie(ctx) != s->netns)
		return ALLOW;
	__u16 port = bpf_ntohs((__u16)ctx->user_port);
	if (!port || (ctx->type != SOCK_STREAM && ctx->type != SOCK_DGRAM))
		return ALLOW;
	__u32 number = sliver_of_task(s);
	__u32 owner = owner_of(port, port_protocol(ctx->protocol));
	if (owner && (owner != number || is_raw(port, port_protocol(ctx->protocol))))
		return refuse(number, EADDRINUSE);
	if (owner)
		return ALLOW_WITHOUT_CAPABILITY;
	return on_node(number) ? refuse(number, EACCES) : ALLOW;
}

SEC("cgroup/bind4")
int sliver_bind4(struct bpf_sock_addr *ctx)
{
	return judge_bind(ctx);
}

SEC("cgroup/bind6")
int sliver_bind6(struct bpf_sock_addr *ctx)
{
	return judge_bind(ctx);
}

/* The port that the kernel chose: it may be owned for as long as it is not reserved against being chosen. */
static __always_inline int judge_choice(struct bpf_sock *sk)
{
	const struct settings *s = get_settings();
	if (!s || bpf_get_netns_cookie(sk) != s->netns || (sk->type != SOCK_STREAM && sk->type != SOCK_DGRAM))
		return ALLOW;
	__u32 owner = owner_of(sk->src_port, port_protocol(sk->protocol));
	if (!owner)
		return ALLOW;
	__u32 number = sliver_of_task(s);
	int ordinary = owner == number && !is_raw(sk->src_port, port_protocol(sk->protocol));
	return ordinary ? ALLOW : refuse(number, EADDRINUSE);
}

SEC("cgroup/post_bind4")
int sliver_post_bind4(struct bpf_sock *sk)
{
	return judge_choice(sk);
}

SEC("cgroup/post_bind6")
int sliver_post_bind6(struct bpf_sock *sk)
{
	return judge_choice(sk);
}

/* TCP, MPTCP and UDP, and ping sockets for who owns an identifier: those bind one past every hook. */
SEC("cgroup/sock_create")
int sliver_sock_create(struct bpf_sock *sk)
{
	const struct settings *s = get_settings();
	if (!s || bpf_get_netns_cookie(sk) != s->netns)
		return ALLOW;
	__u32 number = sliver_of_task(s);
	const struct sliver *sliver = on_node(number);
	if (!sliver)
		return ALLOW;
	__u32 protocol = sk->protocol;
	if (sk->type == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP))
		return ALLOW;
	if (sk->type == SOCK_DGRAM && protocol == IPPROTO_UDP)
		return ALLOW;
	if (sk->type == SOCK_DGRAM && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && sliver->flags & SLIVER_ECHO)
		return ALLOW;
	return refuse(number, EACCES);
}

static __always_inline int judge_connect(struct bpf_sock_addr *ctx, const __u8 *to)
{
	const struct settings *s = get_settings();
	if (!s || bpf_get_netns_cookie(ctx) != s->netns)
		return ALLOW;
	__u32 number = sliver_of_task(s);
	if (!on_node(number))
		return ALLOW;
	__u16 from = ctx->sk ? ctx->sk->src_port : 0;
	__u16 port = bpf_ntohs((__u16)ctx->user_port);
	return is_forbidden(s, number, port_protocol(ctx->protocol), to, port, from) ? refuse(number, EACCES) : ALLOW;
}

SEC("cgroup/connect4")
int sliver_connect4(struct bpf_sock_addr *ctx)
{
	__u32 to[4] = {0, 0, bpf_htonl(0xffff), ctx->user_ip4};
	return judge_connect(ctx, (const __u8 *)to);
}

SEC("cgroup/connect6")
int sliver_connect6(struct bpf_sock_addr *ctx)
{
	__u32 to[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
	return judge_connect(ctx, (const __u8 *)to);
}

/*
 * The kernel puts errors into the queue of every raw socket of a protocol that goes by the addresses, past all filters: those
 * about others' packets, too. A socket that was granted for errors gets its own.
 */
SEC("cgroup/setsockopt")
int sliver_setsockopt(struct bpf_sockopt *ctx)
{
	int errors = (ctx->level == SOL_IP && ctx->optname == IP_RECVERR) ||
		(ctx->level == SOL_IPV6 && ctx->optname == IPV6_RECVERR);
	/* the kernel takes the value from the caller: what is longer than a page is not here */
	ctx->optlen = 0;
	if (!errors || !ctx->sk)
		return ALLOW;
	struct raw_grant *grant = bpf_sk_storage_get(&raw_sockets, ctx->sk, 0, 0);
	return grant ? refuse(grant->sliver, EPERM) : ALLOW;
}
