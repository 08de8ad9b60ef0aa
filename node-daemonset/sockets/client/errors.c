/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "errors.h"
#include "slice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#define ICMP_FILTER_ 1
#define V4_HEADER 20
#define V6_HEADER 40
#define ICMP_HEADER 8
#define MAX_ERROR 2048

int errors_open(const struct channel *channel)
{
	int family = channel->v6 ? AF_INET6 : AF_INET;
	struct icmp6_filter passed;
	/* bits of types that are not received */
	unsigned int dropped = ~(1u << 3 | 1u << 11 | 1u << 12);
	int fd;

	if (channel->protocol == IPPROTO_TCP || channel->protocol == IPPROTO_UDP)
		fd = slice_icmp_errors(family, channel->protocol == IPPROTO_TCP ? SLICE_TCP : SLICE_UDP, channel->owned, NULL);
	else if (channel->owned)
		fd = slice_icmp(family, channel->owned, NULL);
	else
		fd = slice_icmp_errors(family, SLICE_TCP, channel->errors_of_port, NULL);
	if (fd < 0)
		return -1;
	ICMP6_FILTER_SETBLOCKALL(&passed);
	for (int type = ICMP6_DST_UNREACH; type <= ICMP6_PARAM_PROB; type++)
		ICMP6_FILTER_SETPASS(type, &passed);
	if (channel->v6)
		setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &passed, sizeof(passed));
	else
		setsockopt(fd, SOL_RAW, ICMP_FILTER_, &dropped, sizeof(dropped));
	return fd;
}

/* What the kernel makes of the kinds that programs tell apart. */
static unsigned int errno_of(int v6, unsigned char type, unsigned char code)
{
	static const unsigned char unreachable[] = { ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP };
	static const unsigned char unreachable6[] = { ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED };

	if (v6 && type == ICMP6_DST_UNREACH)
		return code < sizeof(unreachable6) ? unreachable6[code] : EACCES;
	if (v6 && type == ICMP6_PACKET_TOO_BIG)
		return EMSGSIZE;
	if (!v6 && type == 3)
		return code < sizeof(unreachable) ? unreachable[code] : EHOSTUNREACH;
	return type == (v6 ? ICMP6_PARAM_PROB : 12) ? EPROTO : EHOSTUNREACH;
}

int errors_is_one(const struct channel *channel, const unsigned char *packet, size_t length)
{
	size_t skip = channel->v6 ? 0 : (size_t)(packet[0] & 15) * 4;

	if (channel->protocol == IPPROTO_ICMPV6)
		return length > 0 && packet[0] >= ICMP6_DST_UNREACH && packet[0] <= ICMP6_PARAM_PROB;
	return channel->protocol == IPPROTO_ICMP && length > skip &&
	       (packet[skip] == 3 || packet[skip] == 11 || packet[skip] == 12);
}

int errors_wait(int channel, int fd, int flags, int *told)
{
	struct pollfd either[2] = { { .fd = *told ? -1 : fd, .events = POLLIN }, { .fd = channel, .events = POLLIN } };
	struct timeval timeout = { 0 };
	socklen_t size = sizeof(timeout);
	int waits = !(flags & MSG_DONTWAIT) && !(fcntl(channel, F_GETFL) & O_NONBLOCK);
	int ms = 0, ready;

	if (waits) {
		getsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &timeout, &size);
		ms = (int)(timeout.tv_sec * 1000 + (timeout.tv_usec + 999) / 1000);
		ms = ms ? ms : -1;
	}
	ready = ppoll(either, 2, ms < 0 ? NULL : &(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
	if (ready < 0)
		return -1;
	if (either[0].revents) {
		*told = 1;
		errno = EHOSTUNREACH;
		return -1;
	}
	if (ready > 0)
		return 0;
	errno = EAGAIN;
	return -1;
}

struct control4 {
	struct sock_extended_err error;
	struct sockaddr_in offender;
};
struct control6 {
	struct sock_extended_err error;
	struct sockaddr_in6 offender;
};

static void say_control(struct msghdr *message, int level, int name, const void *value, size_t size)
{
	struct cmsghdr *control = message->msg_control;

	if (!control || message->msg_controllen < CMSG_SPACE(size)) {
		message->msg_controllen = 0;
		message->msg_flags |= MSG_CTRUNC;
		return;
	}
	*control = (struct cmsghdr){ .cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = name };
	memcpy(CMSG_DATA(control), value, size);
	message->msg_controllen = CMSG_SPACE(size);
}

ssize_t errors_receive(const struct channel *channel, int fd, struct msghdr *message)
{
	unsigned char packet[MAX_ERROR];
	struct sockaddr_in6 from = { 0 };
	socklen_t from_size = sizeof(from);
	struct iovec whole = { .iov_base = packet, .iov_len = sizeof(packet) };
	struct msghdr plain = { .msg_name = &from, .msg_namelen = from_size, .msg_iov = &whole, .msg_iovlen = 1 };
	ssize_t got = recvmsg(fd, &plain, MSG_DONTWAIT);
	size_t skip, quoted, at = 0, left;

	if (got < 0)
		return -1;
	skip = channel->v6 ? 0 : (size_t)(packet[0] & 15) * 4;
	quoted = skip + ICMP_HEADER;
	if ((size_t)got < quoted + (channel->v6 ? V6_HEADER : V4_HEADER)) {
		errno = EAGAIN;
		return -1;
	}
	message->msg_flags = MSG_ERRQUEUE;
	struct sock_extended_err error = { .ee_errno = errno_of(channel->v6, packet[skip], packet[skip + 1]),
					   .ee_origin = channel->v6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP,
					   .ee_type = packet[skip], .ee_code = packet[skip + 1] };
	if (channel->v6) {
		struct control6 said = { error, { .sin6_family = AF_INET6, .sin6_addr = from.sin6_addr } };
		struct sockaddr_in6 to = { .sin6_family = AF_INET6 };

		memcpy(&to.sin6_addr, packet + quoted + 24, 16);
		said.offender.sin6_scope_id = from.sin6_scope_id;
		if (message->msg_name)
			memcpy(message->msg_name, &to, message->msg_namelen < sizeof(to) ? message->msg_namelen : sizeof(to));
		message->msg_namelen = sizeof(to);
		say_control(message, IPPROTO_IPV6, IPV6_RECVERR, &said, sizeof(said));
	} else {
		struct control4 said = { error, *(struct sockaddr_in *)&from };
		struct sockaddr_in to = { .sin_family = AF_INET };

		said.offender.sin_port = 0;
		memcpy(&to.sin_addr, packet + quoted + 16, 4);
		if (message->msg_name)
			memcpy(message->msg_name, &to, message->msg_namelen < sizeof(to) ? message->msg_namelen : sizeof(to));
		message->msg_namelen = sizeof(to);
		say_control(message, IPPROTO_IP, IP_RECVERR, &said, sizeof(said));
	}
	if (!channel->header_included)
		quoted += channel->v6 ? V6_HEADER : (size_t)(packet[quoted] & 15) * 4;
	left = (size_t)got > quoted ? (size_t)got - quoted : 0;
	for (size_t i = 0; i < message->msg_iovlen && at < left; i++) {
		size_t size = message->msg_iov[i].iov_len < left - at ? message->msg_iov[i].iov_len : left - at;

		memcpy(message->msg_iov[i].iov_base, packet + quoted + at, size);
		at += size;
	}
	return (ssize_t)at;
}
