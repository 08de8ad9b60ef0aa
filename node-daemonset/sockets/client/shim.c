/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libslice-shim.so, to be preloaded: where a program opens a raw socket it gets one from the node manager instead, and its
 * packets leave from the port or identifier that the slice owns, whatever the program chose. slice-run preloads it.
 */
#define _GNU_SOURCE
#include "errors.h"
#include "slice.h"
#include "translate.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHANNELS 64
#define MAX_PACKET 65536
#define TYPE_MASK 0xf
#define SO_ATTACH_FILTER_ 26
#define IP_HDRINCL_ 3
#define IPV6_HDRINCL_ 36

static struct {
	int fd; /* + 1, so that 0 is none */
	int errors; /* + 1: the socket that its queue of errors is made of */
	int told; /* that there is something in it */
	struct channel channel;
} channels[CHANNELS];
static pthread_mutex_t channels_lock = PTHREAD_MUTEX_INITIALIZER;

#define NEXT(name) ((__typeof__(&name))next_of(#name))

static void *next_of(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static int find(int fd, struct channel *found)
{
	int is = 0;

	pthread_mutex_lock(&channels_lock);
	for (int i = 0; i < CHANNELS && !is; i++)
		if (channels[i].fd == fd + 1) {
			*found = channels[i].channel;
			is = 1;
		}
	pthread_mutex_unlock(&channels_lock);
	return is;
}

/* The descriptor of a channel's queue of errors; -1: the program asked for none. */
static int errors_of(int fd)
{
	int errors = -1;

	pthread_mutex_lock(&channels_lock);
	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].fd == fd + 1)
			errors = channels[i].errors - 1;
	pthread_mutex_unlock(&channels_lock);
	return errors;
}

static int *told_of(int fd)
{
	static int none;

	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].fd == fd + 1)
			return &channels[i].told;
	return &none;
}

static void keep_errors(int fd, int errors)
{
	pthread_mutex_lock(&channels_lock);
	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].fd == fd + 1)
			channels[i].errors = errors + 1, channels[i].told = 0;
	pthread_mutex_unlock(&channels_lock);
}

/* Puts a channel in the place of another with this descriptor, or takes it away: NULL. */
static int keep(int fd, const struct channel *channel)
{
	int slot = -1;

	pthread_mutex_lock(&channels_lock);
	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].fd == fd + 1 || (slot < 0 && channel && channels[i].fd == 0))
			slot = i;
	if (slot >= 0) {
		channels[slot].fd = channel ? fd + 1 : 0;
		if (channel)
			channels[slot].channel = *channel;
	}
	pthread_mutex_unlock(&channels_lock);
	return slot >= 0;
}

/* As much as the slice owns of an identifier and a TCP port whose errors it may see. */
static int open_icmp(int family, struct slice_opened *opened)
{
	int fd = slice_icmp_with_errors(family, SLICE_ANY, SLICE_TCP, SLICE_ANY, opened);

	if (fd < 0 && errno == EPERM)
		fd = slice_icmp(family, SLICE_ANY, opened);
	if (fd < 0 && errno == EPERM)
		fd = slice_icmp_errors(family, SLICE_TCP, SLICE_ANY, opened);
	return fd;
}

/* SLICE_PORT says which of several owned ports is to be used. */
static unsigned short wanted_port(void)
{
	const char *text = getenv("SLICE_PORT");

	return text ? (unsigned short)strtoul(text, NULL, 10) : SLICE_ANY;
}

static int open_raw(int family, int protocol, struct channel *channel)
{
	struct slice_opened opened = { 0 };
	int fd;

	if (protocol == IPPROTO_TCP)
		fd = slice_raw_tcp(family, wanted_port(), 0, &opened);
	else if (protocol == IPPROTO_UDP)
		fd = slice_raw_udp(family, wanted_port(), 0, &opened);
	else
		fd = open_icmp(family, &opened);
	*channel = (struct channel){ .v6 = family == AF_INET6, .protocol = protocol,
				     .owned = opened.port ? opened.port : opened.identifier,
				     .errors_of_port = opened.errors_of };
	return fd;
}

int socket(int domain, int type, int protocol)
{
	struct channel channel;
	int fd;

	int ours = (type & TYPE_MASK) == SOCK_RAW &&
		   ((domain == AF_INET && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP)) ||
		    (domain == AF_INET6 &&
		     (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6)));

	if (!ours)
		return NEXT(socket)(domain, type, protocol);
	fd = open_raw(domain, protocol, &channel);
	if (fd < 0) {
		/* outside of a sliver the program gets what it would get without us */
		if (errno == ENOENT || errno == ECONNREFUSED)
			return NEXT(socket)(domain, type, protocol);
		return -1;
	}
	if (type & SOCK_NONBLOCK)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (!(type & SOCK_CLOEXEC))
		fcntl(fd, F_SETFD, 0);
	if (!keep(fd, &channel)) {
		NEXT(close)(fd);
		errno = EMFILE;
		return -1;
	}
	return fd;
}

int close(int fd)
{
	int errors = errors_of(fd);

	if (errors >= 0) {
		keep_errors(fd, -1);
		NEXT(close)(errors);
	}
	keep(fd, NULL);
	return NEXT(close)(fd);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	struct channel channel;

	if (find(fd, &channel)) {
		/* ours is locked on; the program's own would look for ports that are translated only later */
		if (level == SOL_SOCKET && name == SO_ATTACH_FILTER_)
			return 0;
		if ((level == IPPROTO_IP && name == IP_RECVERR) || (level == IPPROTO_IPV6 && name == IPV6_RECVERR)) {
			int errors = errors_of(fd) < 0 ? errors_open(&channel) : -1;

			if (errors >= 0)
				keep_errors(fd, errors);
			return errors_of(fd) < 0 ? -1 : 0;
		}
		if (((level == IPPROTO_IP && name == IP_HDRINCL_) || (level == IPPROTO_IPV6 && name == IPV6_HDRINCL_)) &&
		    size >= sizeof(int)) {
			int on;

			memcpy(&on, value, sizeof(on));
			channel.header_included = on != 0;
			keep(fd, &channel);
		}
	}
	return NEXT(setsockopt)(fd, level, name, value, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	uint8_t packet[MAX_PACKET];
	struct iovec whole = { .iov_base = packet };
	struct msghdr ours = *message;
	struct channel channel;

	if (!find(fd, &channel))
		return NEXT(sendmsg)(fd, message, flags);
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		const struct iovec *part = &message->msg_iov[i];

		if (part->iov_len > sizeof(packet) - whole.iov_len) {
			errno = EMSGSIZE;
			return -1;
		}
		memcpy(packet + whole.iov_len, part->iov_base, part->iov_len);
		whole.iov_len += part->iov_len;
	}
	translate_sent(&channel, packet, whole.iov_len);
	ours.msg_iov = &whole;
	ours.msg_iovlen = 1;
	return NEXT(sendmsg)(fd, &ours, flags);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size)
{
	struct iovec part = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_name = (void *)to, .msg_namelen = to_size, .msg_iov = &part, .msg_iovlen = 1 };
	struct channel channel;

	if (!find(fd, &channel))
		return NEXT(sendto)(fd, data, size, flags, to, to_size);
	return sendmsg(fd, &message, flags);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	struct channel channel;

	return find(fd, &channel) ? sendto(fd, data, size, flags, NULL, 0) : NEXT(send)(fd, data, size, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	uint8_t packet[MAX_PACKET];
	struct iovec whole = { .iov_base = packet, .iov_len = 0 };
	struct iovec *parts = message->msg_iov;
	size_t count = message->msg_iovlen, at = 0, kept;
	struct channel channel;
	int errors = errors_of(fd);
	ssize_t got;

	if (!find(fd, &channel))
		return NEXT(recvmsg)(fd, message, flags);
	for (size_t i = 0; i < count; i++)
		whole.iov_len += parts[i].iov_len;
	if (whole.iov_len > sizeof(packet))
		whole.iov_len = sizeof(packet);
	message->msg_iov = &whole;
	message->msg_iovlen = 1;
	if (flags & MSG_ERRQUEUE) {
		*told_of(fd) = 0;
		errno = EAGAIN;
		got = errors < 0 ? -1 : errors_receive(&channel, errors, message);
	} else {
		const struct msghdr given = *message;

		do {
			*message = given;
			got = errors < 0 || !errors_wait(fd, errors, flags, told_of(fd)) ? NEXT(recvmsg)(fd, message, flags) : -1;
		} while (errors >= 0 && got >= 0 && !(flags & MSG_PEEK) && errors_is_one(&channel, packet, (size_t)got));
	}
	message->msg_iov = parts;
	message->msg_iovlen = count;
	if (got < 0)
		return got;
	/* with MSG_TRUNC more was there than is here */
	kept = (size_t)got < whole.iov_len ? (size_t)got : whole.iov_len;
	if (flags & MSG_ERRQUEUE)
		translate_returned(&channel, packet, kept);
	else
		translate_received(&channel, packet, kept);
	for (size_t i = 0; i < count && at < kept; i++) {
		size_t size = parts[i].iov_len < kept - at ? parts[i].iov_len : kept - at;

		memcpy(parts[i].iov_base, packet + at, size);
		at += size;
	}
	return got;
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *from_size)
{
	struct iovec part = { .iov_base = data, .iov_len = size };
	struct msghdr message = { .msg_name = from, .msg_namelen = from_size ? *from_size : 0, .msg_iov = &part,
				  .msg_iovlen = 1 };
	struct channel channel;
	ssize_t got;

	if (!find(fd, &channel))
		return NEXT(recvfrom)(fd, data, size, flags, from, from_size);
	got = recvmsg(fd, &message, flags);
	if (got >= 0 && from_size)
		*from_size = message.msg_namelen;
	return got;
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	struct channel channel;

	return find(fd, &channel) ? recvfrom(fd, data, size, flags, NULL, NULL) : NEXT(recv)(fd, data, size, flags);
}

/* What programs call that are compiled with _FORTIFY_SOURCE. */
ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *from,
		       socklen_t *from_size)
{
	if (size > room)
		abort();
	return recvfrom(fd, data, size, flags, from, from_size);
}

ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags)
{
	if (size > room)
		abort();
	return recv(fd, data, size, flags);
}

/* A channel with something in its queue of errors has POLLERR, whether it is asked for or not. */
int poll(struct pollfd *wanted, nfds_t count, int ms)
{
	struct pollfd all[2 * CHANNELS];
	nfds_t total = count;
	int ready, more = 0;

	if (count > CHANNELS)
		return NEXT(poll)(wanted, count, ms);
	memcpy(all, wanted, count * sizeof(*wanted));
	for (nfds_t i = 0; i < count; i++) {
		int errors = errors_of(wanted[i].fd);

		if (wanted[i].fd >= 0 && errors >= 0)
			all[total++] = (struct pollfd){ .fd = errors, .events = POLLIN };
	}
	if (total == count)
		return NEXT(poll)(wanted, count, ms);
	ready = NEXT(poll)(all, total, ms);
	if (ready < 0)
		return ready;
	for (nfds_t i = 0; i < count; i++) {
		int errors = errors_of(wanted[i].fd);

		wanted[i].revents = all[i].revents;
		for (nfds_t at = count; at < total; at++)
			if (wanted[i].fd >= 0 && errors >= 0 && all[at].fd == errors && all[at].revents)
				wanted[i].revents |= POLLERR;
		more += wanted[i].revents != 0;
	}
	return more;
}

int __poll_chk(struct pollfd *wanted, nfds_t count, int ms, size_t room)
{
	if (count > room / sizeof(*wanted))
		abort();
	return poll(wanted, count, ms);
}
