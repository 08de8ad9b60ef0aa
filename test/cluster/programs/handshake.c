/*
 * handshake TO PORT: a TCP of its own, in a sliver. From the lowest owned port it sends a SYN that carries data, shakes hands,
 * says hello, waits for the echo and hangs up by a reset. IPv4 and IPv6; a reset that it did not send itself is a failure.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <time.h>
#include "../../../node-daemonset/sockets/client/slice.c"

#define BEGIN 1000u
#define SYN 2
#define RST 4
#define PSH 8
#define ACK 16

static struct sockaddr_storage own, far;
static socklen_t length = sizeof(own);
static unsigned short port, far_port;
static int fd;

static int ended(const char *what)
{
	fprintf(stderr, "%s: %s %s\n", what, strerror(errno), slice_error());
	return 1;
}

static unsigned int sum(const void *data, size_t size, unsigned int so_far)
{
	const unsigned char *at = data;
	for (size_t i = 0; i < size; i += 2) so_far += at[i] << 8 | (i + 1 < size ? at[i + 1] : 0);
	return so_far;
}

static unsigned int sum_address(const struct sockaddr_storage *a, unsigned int so_far)
{
	if (a->ss_family == AF_INET) return sum(&((const struct sockaddr_in *)a)->sin_addr, 4, so_far);
	return sum(&((const struct sockaddr_in6 *)a)->sin6_addr, 16, so_far);
}

static int say(int flags, unsigned int sequence, unsigned int acknowledged, const char *data)
{
	struct { struct tcphdr tcp; char data[16]; } segment = {0};
	size_t size = sizeof(segment.tcp) + strlen(data);
	segment.tcp.source = htons(port);
	segment.tcp.dest = htons(far_port);
	segment.tcp.seq = htonl(sequence);
	segment.tcp.ack_seq = htonl(acknowledged);
	segment.tcp.doff = 5;
	((unsigned char *)&segment)[13] = flags;
	segment.tcp.window = htons(8192);
	memcpy(segment.data, data, strlen(data));
	unsigned int check = sum_address(&own, sum_address(&far, sum(&segment, size, IPPROTO_TCP + size)));
	while (check > 0xffff) check = (check & 0xffff) + (check >> 16);
	segment.tcp.check = htons(~check);
	return send(fd, &segment, size, 0) == (ssize_t)size ? 0 : -1;
}

/* The next segment with these flags and so much data at least, within 5 s. */
static int hear(int flags, size_t least, struct tcphdr *segment)
{
	unsigned char packet[2048];
	time_t end = time(0) + 5;
	while (time(0) < end) {
		if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 500) != 1) continue;
		ssize_t size = recv(fd, packet, sizeof(packet), 0);
		ssize_t at = own.ss_family == AF_INET ? (packet[0] & 15) * 4 : 0;
		if (size < at + (ssize_t)sizeof(*segment)) continue;
		memcpy(segment, packet + at, sizeof(*segment));
		if (segment->source != htons(far_port) || segment->dest != htons(port)) continue;
		errno = ECONNRESET;
		if (segment->rst) return -1;
		if ((packet[at + 13] & flags) == flags && size - at - segment->doff * 4 >= (ssize_t)least) return 0;
	}
	errno = ETIMEDOUT;
	return -1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in *v4 = (void *)&far;
	struct sockaddr_in6 *v6 = (void *)&far;
	struct slice_opened opened;
	struct tcphdr heard;
	if (argc != 3) return 2;
	far_port = atoi(argv[2]);
	if (inet_pton(AF_INET, argv[1], &v4->sin_addr) == 1) far.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, argv[1], &v6->sin6_addr) == 1) far.ss_family = AF_INET6;
	else return 2;
	if ((fd = slice_raw_tcp(far.ss_family, SLICE_ANY, 0, &opened)) < 0) return ended("no raw socket");
	port = opened.port;
	/* so that the kernel says which of the node's addresses leads there */
	if (connect(fd, (void *)&far, far.ss_family == AF_INET ? sizeof(*v4) : sizeof(*v6)) ||
	    getsockname(fd, (void *)&own, &length))
		return ended("no way there");
	if (say(SYN, BEGIN, 0, "data")) return ended("SYN");
	if (hear(SYN | ACK, 0, &heard)) return ended("no answer to a SYN that carries data");
	unsigned int next = ntohl(heard.seq) + 1, sent = ntohl(heard.ack_seq);
	/* time for the kernel to reset what it knows nothing of */
	poll(0, 0, 300);
	if (say(PSH | ACK, sent, next, "hello")) return ended("hello");
	if (hear(ACK, 5, &heard)) return ended("no echo");
	say(RST, sent + 5, ntohl(heard.seq) + 5, "");
	printf("echoed from port %d\n", port);
	return 0;
}
