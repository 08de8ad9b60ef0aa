/* SPDX-License-Identifier: Apache-2.0 */
/* The sliver's socket: one JSON object a line, one line back, and with it a descriptor. */
#include "slice.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_PATH "/run/slice/sockets"
#define ANSWER_MS 10000

#define ERROR_SIZE 1024
static __thread char error_text[ERROR_SIZE];

const char *slice_error(void)
{
	return error_text;
}

static int fail(int code, const char *what)
{
	size_t length = strnlen(what, ERROR_SIZE - 1);

	memcpy(error_text, what, length);
	error_text[length] = 0;
	errno = code;
	return -1;
}

static int connect_sliver(void)
{
	const char *path = getenv("SLICE_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path || !*path)
		path = SOCKET_PATH;
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(ENAMETOOLONG, "the path of the sliver's socket is too long");
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(errno, "no Unix socket could be made");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	fail(errno, "the sliver's socket can't be reached: is this process in a sliver?");
	close(fd);
	return -1;
}

/*
 * The rest of the line, byte by byte: what comes after it is a sniffer's stream. The descriptor, if any, comes with the
 * first byte.
 */
static int read_answer(int fd, char *line, size_t size, int *passed)
{
	struct timespec begin, now;
	size_t length = 0;

	*passed = -1;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
		struct iovec part = { .iov_base = line + length, .iov_len = 1 };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
					  .msg_controllen = sizeof(control.bytes) };
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		struct cmsghdr *with;
		ssize_t got;
		long passed_ms;

		clock_gettime(CLOCK_MONOTONIC, &now);
		passed_ms = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
		if (passed_ms >= ANSWER_MS || poll(&readable, 1, (int)(ANSWER_MS - passed_ms)) == 0)
			return fail(ETIMEDOUT, "the node manager does not answer");
		got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail(EIO, "the node manager closed the connection");
		with = CMSG_FIRSTHDR(&message);
		if (with && with->cmsg_level == SOL_SOCKET && with->cmsg_type == SCM_RIGHTS)
			memcpy(passed, CMSG_DATA(with), sizeof(*passed));
		if (line[length] == '\n')
			break;
		if (++length == size)
			return fail(EIO, "the node manager's answer is too long");
	}
	line[length] = 0;
	return 0;
}

/* An answer is written by JSON.stringify: no blanks, and no key inside of another's string. */
static unsigned short number_of(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? (unsigned short)strtoul(at + strlen(key), NULL, 10) : 0;
}

static int errno_of(const char *line)
{
	static const struct { const char *name; int code; } codes[] = {
		{ "\"EPERM\"", EPERM }, { "\"EINVAL\"", EINVAL }, { "\"EADDRINUSE\"", EADDRINUSE },
		{ "\"EMFILE\"", EMFILE }, { "\"EBUSY\"", EBUSY }, { "\"ETIMEDOUT\"", ETIMEDOUT },
		{ "\"E2BIG\"", E2BIG },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strstr(line, codes[i].name))
			return codes[i].code;
	return EIO;
}

/* The connection itself where a stream is asked for, else the descriptor that came over it. */
static int ask(const char *request, int stream, struct slice_opened *opened)
{
	char line[ERROR_SIZE];
	size_t length = strlen(request);
	int passed = -1, fd;

	error_text[0] = 0;
	fd = connect_sliver();
	if (fd < 0)
		return -1;
	/* who is refused at once is told why before the connection is closed: the answer is there, whether this fails or not */
	send(fd, request, length, MSG_NOSIGNAL);
	if (read_answer(fd, line, sizeof(line), &passed) == 0) {
		const char *errors = strstr(line, "\"errorsOf\":");

		if (strncmp(line, "{\"ok\":", 6) != 0) {
			const char *message = strstr(line, "\"message\":\"");

			fail(errno_of(line), message ? message + 11 : line);
			error_text[strcspn(error_text, "\"")] = 0;
		} else if (!stream && passed < 0) {
			fail(EIO, "the node manager passed no descriptor: too many are open here?");
		} else {
			if (opened) {
				opened->identifier = number_of(line, "\"identifier\":");
				opened->errors_of = errors ? number_of(errors, "\"port\":") : 0;
				opened->port = errors ? 0 : number_of(line, "\"port\":");
			}
			if (stream)
				return fd;
			close(fd);
			return passed;
		}
	}
	if (passed >= 0)
		close(passed);
	{
		int code = errno;

		close(fd);
		errno = code;
	}
	return -1;
}

struct port_text {
	char text[8];
};

static struct port_text text_of(unsigned short port)
{
	struct port_text result = { "\"any\"" };

	if (port != SLICE_ANY)
		snprintf(result.text, sizeof(result.text), "%hu", port);
	return result;
}

static int family_of(int family)
{
	if (family == AF_INET)
		return 4;
	return family == AF_INET6 ? 6 : 0;
}

static const char *name_of(enum slice_protocol protocol)
{
	return protocol == SLICE_TCP ? "tcp" : "udp";
}

static int raw(int family, enum slice_protocol protocol, unsigned short port, int header_included,
	       struct slice_opened *opened)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"open\":\"raw\",\"protocol\":\"%s\",\"family\":%d,\"port\":%s,\"headerIncluded\":%s}\n",
		 name_of(protocol), family_of(family), text_of(port).text, header_included ? "true" : "false");
	return ask(request, 0, opened);
}

int slice_raw_tcp(int family, unsigned short port, int header_included, struct slice_opened *opened)
{
	return raw(family, SLICE_TCP, port, header_included, opened);
}

int slice_raw_udp(int family, unsigned short port, int header_included, struct slice_opened *opened)
{
	return raw(family, SLICE_UDP, port, header_included, opened);
}

int slice_icmp(int family, unsigned short identifier, struct slice_opened *opened)
{
	char request[128];

	snprintf(request, sizeof(request), "{\"open\":\"icmp\",\"family\":%d,\"identifier\":%s}\n", family_of(family),
		 text_of(identifier).text);
	return ask(request, 0, opened);
}

int slice_icmp_with_errors(int family, unsigned short identifier, enum slice_protocol protocol, unsigned short port,
			   struct slice_opened *opened)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"open\":\"icmp\",\"family\":%d,\"identifier\":%s,\"errorsOf\":{\"protocol\":\"%s\",\"port\":%s}}\n",
		 family_of(family), text_of(identifier).text, name_of(protocol), text_of(port).text);
	return ask(request, 0, opened);
}

int slice_icmp_errors(int family, enum slice_protocol protocol, unsigned short port, struct slice_opened *opened)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"open\":\"icmp\",\"family\":%d,\"errorsOf\":{\"protocol\":\"%s\",\"port\":%s}}\n", family_of(family),
		 name_of(protocol), text_of(port).text);
	return ask(request, 0, opened);
}

int slice_sniff(enum slice_protocol protocol, unsigned short port, struct slice_opened *opened)
{
	char request[128];

	snprintf(request, sizeof(request), "{\"open\":\"sniffer\",\"protocol\":\"%s\",\"port\":%s}\n",
		 name_of(protocol), text_of(port).text);
	return ask(request, 1, opened);
}

int slice_audit(void)
{
	return ask("{\"open\":\"audit\"}\n", 1, NULL);
}
