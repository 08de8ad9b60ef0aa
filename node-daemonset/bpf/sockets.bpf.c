/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What sockets of pods may do on the node's network: which may be made and how many, which ports they bind, where they
 * connect to. Of pods with a network of their own is noted only which sliver made a socket. Errors here are for people:
 * packets are judged again on their way out.
 */
#include "maps.h"
#include "options.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ALLOW 1
#define ALLOW_WITHOUT_CAPABILITY 3
#define REFUSE 0

#define SOCK_STREAM 1
#define SOCK_DGRAM 2

#define EPERM 1
#define ENOMEM 12
#define EACCES 13
#define EMFILE 24
#define EPROTONOSUPPORT 93
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

/*
 * The port that it has now: one that the kernel chose may be owned for as long as it is not reserved against being chosen.
 * Whoever was bound to a port of his own sends nothing any more when he loses it.
 */
static __always_inline int judge_choice(struct bpf_sock *sk)
{
	const struct settings *s = get_settings();
	if (!s || bpf_get_netns_cookie(sk) != s->netns || (sk->type != SOCK_STREAM && sk->type != SOCK_DGRAM))
		return ALLOW;
	__u32 owner = owner_of(sk->src_port, port_protocol(sk->protocol));
	__u32 number = sliver_of_task(s);
	if (owner && (owner != number || is_raw(sk->src_port, port_protocol(sk->protocol))))
		return refuse(number, EADDRINUSE);
	if (!number)
		return ALLOW;
	struct mark fresh = {.sliver = number};
	struct mark *mark = bpf_sk_storage_get(&marks, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (!mark)
		return refuse(number, ENOMEM);
	if (owner)
		mark->named = 1;
	return ALLOW;
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

SEC("cgroup/sock_release")
int sliver_sock_release(struct bpf_sock *sk)
{
	struct mark *mark = bpf_sk_storage_get(&marks, sk, 0, 0);
	if (!mark || !mark->cookie || mark->cookie != bpf_get_socket_cookie(sk))
		return ALLOW;
	__u32 number = mark->sliver;
	__u32 *sockets = bpf_map_lookup_elem(&open_sockets, &number);
	if (sockets)
		__sync_fetch_and_add(sockets, -1);
	return ALLOW;
}

/* Every one may take a port of those that the kernel chooses for everybody on the node. */
static __always_inline int is_one_too_many(const struct settings *s, __u32 number)
{
	__u32 *sockets = bpf_map_lookup_elem(&open_sockets, &number);
	if (!sockets)
		return 1;
	if (__sync_fetch_and_add(sockets, 1) < s->sockets)
		return 0;
	__sync_fetch_and_add(sockets, -1);
	return 1;
}

/*
 * On the node's network slivers have TCP and UDP. Ping sockets would take identifiers past every hook, others' too; and of
 * MPTCP the kernel makes sockets by itself, for which programs go back to TCP.
 */
SEC("cgroup/sock_create")
int sliver_sock_create(struct bpf_sock *sk)
{
	const struct settings *s = get_settings();
	__u32 number = s ? sliver_of_task(s) : 0;
	if (!number)
		return ALLOW;
	struct mark fresh = {.sliver = number};
	if (bpf_get_netns_cookie(sk) == s->netns && on_node(number)) {
		if (sk->protocol == IPPROTO_MPTCP)
			return refuse(number, EPROTONOSUPPORT);
		if (!(sk->type == SOCK_STREAM && sk->protocol == IPPROTO_TCP) &&
		    !(sk->type == SOCK_DGRAM && sk->protocol == IPPROTO_UDP))
			return refuse(number, EACCES);
		if (is_one_too_many(s, number))
			return refuse(number, EMFILE);
		fresh.cookie = bpf_get_socket_cookie(sk);
		sk->mark = SLIVER_MARK; /* which takes CAP_NET_ADMIN to change */
	}
	if (bpf_sk_storage_get(&marks, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE))
		return ALLOW;
	return refuse(number, ENOMEM);
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
	return is_forbidden(s, number, port_protocol(ctx->protocol), to, port, from, 0) ? refuse(number, EACCES) : ALLOW;
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
 * Of a datagram to an IPv4 group the kernel makes a copy for the node's own listeners that comes by no other program. To a
 * broadcast address none is sent without SO_BROADCAST.
 */
SEC("cgroup/sendmsg4")
int sliver_sendmsg4(struct bpf_sock_addr *ctx)
{
	__u32 to[4] = {0, 0, bpf_htonl(0xffff), ctx->user_ip4};
	return is_for_many((const __u8 *)to) ? judge_connect(ctx, (const __u8 *)to) : ALLOW;
}

#define PAGE 4096 /* at least */

SEC("cgroup/setsockopt")
int sliver_setsockopt(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	__s32 level = ctx->level, name = ctx->optname;
	if (ctx->optlen > PAGE)
		ctx->optlen = 0; /* the kernel takes the caller's value, of which it shows us no more than a page */
	if (!sk)
		return ALLOW;
	struct raw_grant *grant = bpf_sk_storage_get(&raw_sockets, sk, 0, 0);
	if (grant)
		return is_for_raw_sockets(level, name) ? ALLOW : refuse(grant->sliver, EPERM);
	struct mark *mark = bpf_sk_storage_get(&marks, sk, 0, 0);
	if (mark && on_node(mark->sliver) && is_for_nobody(level, name))
		return refuse(mark->sliver, EPERM);
	return ALLOW;
}
