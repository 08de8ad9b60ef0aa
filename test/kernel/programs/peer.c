/*
 * A process with a few sockets that does what its stdin says, and answers each line with one: "ok", what was asked for, or
 * the name of an errno. A line may hold several commands between semicolons; the first that fails is the last. So a test can be any program in any cgroup, with any rights.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/udp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IP_RECVERR
#define IP_RECVERR 11
#endif
#ifndef IPV6_RECVERR
#define IPV6_RECVERR 25
#endif
#ifndef IP_FREEBIND
#define IP_FREEBIND 15
#endif
#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

static int fd = -1, capture = -1;
static int sockets[256]; /* those that are not the one of now; 0: none */
static int patience = 1000; /* ms that a connection may take */

static socklen_t address(const char *text, int port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (void *)to;
	struct sockaddr_in6 *v6 = (void *)to;
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		fprintf(stderr, "%s is no address\n", text);
		exit(2);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static int set(int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int option(const char *name, int value)
{
	if (!strcmp(name, "reuseport")) return set(SOL_SOCKET, SO_REUSEPORT, value);
	if (!strcmp(name, "reuseaddr")) return set(SOL_SOCKET, SO_REUSEADDR, value);
	if (!strcmp(name, "freebind4")) return set(IPPROTO_IP, IP_FREEBIND, value);
	if (!strcmp(name, "freebind6")) return set(IPPROTO_IPV6, 78, value);
	if (!strcmp(name, "v6only")) return set(IPPROTO_IPV6, IPV6_V6ONLY, value);
	if (!strcmp(name, "hdrincl4")) return set(IPPROTO_IP, IP_HDRINCL, value);
	if (!strcmp(name, "hdrincl6")) return set(IPPROTO_IPV6, IPV6_HDRINCL, value);
	if (!strcmp(name, "segment")) return set(IPPROTO_UDP, UDP_SEGMENT, value);
	if (!strcmp(name, "errors4")) return set(IPPROTO_IP, IP_RECVERR, value);
	if (!strcmp(name, "errors6")) return set(IPPROTO_IPV6, IPV6_RECVERR, value);
	if (!strcmp(name, "mark")) return set(SOL_SOCKET, SO_MARK, value);
	if (!strcmp(name, "linger")) {
		struct linger linger = {1, value};
		return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	if (!strcmp(name, "options4")) { /* router alert */
		unsigned char alert[4] = {0x94, 4, 0, 0};
		return setsockopt(fd, IPPROTO_IP, IP_OPTIONS, alert, value ? 4 : 0);
	}
	errno = ENOPROTOOPT;
	return -1;
}

static size_t unhex(const char *text, unsigned char *bytes)
{
	size_t n = 0;
	for (; text[0] && text[1] && n < 65536; text += 2, n++) sscanf(text, "%2hhx", &bytes[n]);
	return n;
}

/* From a source address that the message names, as IP_PKTINFO and IPV6_PKTINFO let everyone do. */
static int send_from(const char *source, const char *to, int port, const void *data, size_t length)
{
	struct sockaddr_storage name, from;
	char control[64] = {0};
	struct iovec io = {(void *)data, length};
	struct msghdr m = {.msg_name = &name, .msg_namelen = address(to, port, &name), .msg_iov = &io, .msg_iovlen = 1};
	address(source, 0, &from);
	m.msg_control = control;
	struct cmsghdr *c = (void *)control;
	if (from.ss_family == AF_INET) {
		struct in_pktinfo info = {.ipi_spec_dst = ((struct sockaddr_in *)&from)->sin_addr};
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_addr = ((struct sockaddr_in6 *)&from)->sin6_addr};
		*c = (struct cmsghdr){CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m.msg_controllen = CMSG_SPACE(sizeof(info));
	}
	return sendmsg(fd, &m, 0);
}

static int wait_for(int on, short what, int ms)
{
	struct pollfd p = {on, what, 0};
	if (poll(&p, 1, ms) == 1) return 0;
	errno = ETIMEDOUT;
	return -1;
}

static int connect_to(const char *to, int port)
{
	struct sockaddr_storage name;
	struct timeval wait = {patience / 1000, patience % 1000 * 1000};
	socklen_t length = address(to, port, &name);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return connect(fd, (void *)&name, length);
}

static int bind_to(const char *at, int port)
{
	struct sockaddr_storage name;
	return bind(fd, (void *)&name, address(at, port, &name));
}

/* The socket itself to whoever connects at this path, or from there. */
static int hand_over(const char *path, int give)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec io = {&byte, 1};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = (void *)control;
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	int s = socket(AF_UNIX, SOCK_STREAM, 0), result;
	if (give) {
		if (bind(s, (void *)&at, sizeof(at)) || listen(s, 1)) return -1;
		printf("listening\n");
		int client = accept(s, 0, 0);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		result = sendmsg(client, &m, 0);
		close(client);
		unlink(path);
	} else {
		if (connect(s, (void *)&at, sizeof(at))) return -1;
		result = recvmsg(s, &m, 0);
		if (result > 0) memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	close(s);
	return result < 0 ? -1 : 0;
}

/* Asks for a socket at a sliver's own, by one line of JSON. */
static int open_at(const char *path, const char *request)
{
	static const struct { const char *code; int number; } errors[] = {
		{"EPERM", EPERM}, {"EADDRINUSE", EADDRINUSE}, {"EMFILE", EMFILE}, {"EBUSY", EBUSY}, {"EINVAL", EINVAL}};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char control[CMSG_SPACE(sizeof(int))] = {0}, answer[2000] = {0};
	struct iovec io = {answer, sizeof(answer) - 1};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int s = socket(AF_UNIX, SOCK_STREAM, 0), result = -1;
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	if (!connect(s, (void *)&at, sizeof(at)) && dprintf(s, "%s\n", request) > 0 && recvmsg(s, &m, 0) > 0) {
		errno = EIO;
		for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
			if (strstr(answer, errors[i].code)) errno = errors[i].number;
		if (m.msg_controllen) memcpy(&fd, CMSG_DATA((struct cmsghdr *)control), sizeof(fd)), result = 0;
	}
	int why = errno;
	close(s);
	errno = why;
	return result;
}

/* From now on it is about another of the process's sockets, if there is one by this number yet. */
static int use(int number)
{
	static int now;
	sockets[now] = fd < 0 ? 0 : fd;
	now = number & 255;
	fd = sockets[now] ? sockets[now] : -1;
	return 0;
}

/* All of them. */
static int forget(void)
{
	use(0);
	for (int i = 0; i < 256; i++) {
		if (sockets[i]) close(sockets[i]);
		sockets[i] = 0;
	}
	fd = -1;
	return 0;
}

/* Every IP packet that came in by an interface since, in hexadecimal from its network header on; separated by blanks. */
static int print_captured(void)
{
	unsigned char packet[65536];
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	ssize_t n;
	printf("packets");
	while ((n = recvfrom(capture, packet, sizeof(packet), MSG_DONTWAIT, (void *)&from, &length)) >= 0) {
		int ip = from.sll_protocol == htons(ETH_P_IP) || from.sll_protocol == htons(ETH_P_IPV6);
		if (from.sll_pkttype == PACKET_OUTGOING || !ip) continue;
		printf(" ");
		for (ssize_t i = 0; i < n && i < 100; i++) printf("%02x", packet[i]);
	}
	printf("\n");
	return 0;
}

static int open_capture(const char *interface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int size = 16 << 20;
	at.sll_ifindex = if_nametoindex(interface);
	capture = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	setsockopt(capture, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return bind(capture, (void *)&at, sizeof(at));
}

static int print_name(void)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);
	if (getsockname(fd, (void *)&name, &length)) return -1;
	printf("%d\n", ntohs(((struct sockaddr_in *)&name)->sin_port));
	return 0;
}

static int many(const char *to, int port, int count, int size)
{
	static char data[65536];
	struct sockaddr_storage name;
	socklen_t length = address(to, port, &name);
	int sent = 0;
	for (int i = 0; i < count; i++) sent += sendto(fd, data, size, 0, (void *)&name, length) >= 0;
	printf("%d\n", sent);
	return 0;
}

/* One packet to each port of a range. */
static int scan(const char *to, int first, int last, int size)
{
	static char data[65536];
	struct sockaddr_storage name;
	int sent = 0;
	for (int port = first; port <= last; port++) {
		socklen_t length = address(to, port, &name);
		sent += sendto(fd, data, size, 0, (void *)&name, length) >= 0;
	}
	printf("%d\n", sent);
	return 0;
}

/* What an ICMP error quoted of the packet that it is about. */
static int print_error(void)
{
	unsigned char data[2000];
	char control[512];
	struct iovec io = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (n < 0) return -1;
	printf("quoted ");
	for (int i = 0; i < n; i++) printf("%02x", data[i]);
	printf("\n");
	return 0;
}

/* So many sockets more, each with a port that the kernel chose; how many it were, and why no more. */
static int hoard(int type, int count)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	struct rlimit files;
	int n = 0;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	errno = 0;
	for (int s; n < count && (s = socket(AF_INET6, type, 0)) >= 0; n++)
		if (bind(s, (void *)&any, sizeof(any))) break;
	printf("%d %s\n", n, errno ? strerrorname_np(errno) : "ok");
	return 0;
}

/* One command; -1 and errno where it failed, 1 where it said its answer itself. */
static int obey(const char *line)
{
	static char word[6][100000];
	static unsigned char bytes[65536], received[65536];
	for (int i = 0; i < 6; i++) word[i][0] = 0;
	sscanf(line, "%s %s %s %s %s %s", word[0], word[1], word[2], word[3], word[4], word[5]);
	char *op = word[0], *a = word[1], *b = word[2], *c = word[3], *d = word[4];
	int result, silent = 0;
	if (!strcmp(op, "socket")) {
		int type = !strcmp(b, "stream") ? SOCK_STREAM : !strcmp(b, "dgram") ? SOCK_DGRAM : !strcmp(b, "raw") ? SOCK_RAW : atoi(b);
		if (fd >= 0) close(fd);
		result = fd = socket(atoi(a) == 4 ? AF_INET : AF_INET6, type, atoi(c));
	} else if (!strcmp(op, "option")) result = option(a, atoi(b));
	else if (!strcmp(op, "setopt")) result = set(atoi(a), atoi(b), atoi(c));
	else if (!strcmp(op, "device")) result = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, a, strlen(a) + 1);
	else if (!strcmp(op, "big")) result = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, word, 8192);
	else if (!strcmp(op, "ports")) result = set(IPPROTO_IP, 51, atoi(a) << 16 | atoi(a));
	else if (!strcmp(op, "quoted")) result = print_error(), silent = result == 0;
	else if (!strcmp(op, "hoard")) result = hoard(!strcmp(a, "stream") ? SOCK_STREAM : SOCK_DGRAM, atoi(b)), silent = 1;
	else if (!strcmp(op, "bind")) result = bind_to(a, atoi(b));
	else if (!strcmp(op, "connect")) result = connect_to(a, atoi(b));
	else if (!strcmp(op, "listen")) result = listen(fd, 128);
	else if (!strcmp(op, "accept")) {
		result = wait_for(fd, POLLIN, atoi(a));
		if (!result) {
			int accepted = accept(fd, 0, 0);
			close(fd);
			result = fd = accepted;
		}
	} else if (!strcmp(op, "send")) result = send(fd, bytes, unhex(a, bytes), MSG_NOSIGNAL);
	else if (!strcmp(op, "sendto")) {
		struct sockaddr_storage name;
		socklen_t length = address(a, atoi(b), &name);
		result = sendto(fd, bytes, unhex(c, bytes), 0, (void *)&name, length);
	} else if (!strcmp(op, "sendfrom")) result = send_from(a, b, atoi(c), bytes, unhex(d, bytes));
	else if (!strcmp(op, "many")) result = many(a, atoi(b), atoi(c), atoi(d)), silent = 1;
	else if (!strcmp(op, "scan")) result = scan(a, atoi(b), atoi(c), atoi(d)), silent = 1;
	else if (!strcmp(op, "receive")) {
		result = wait_for(fd, POLLIN, atoi(a));
		if (!result && (result = recv(fd, received, sizeof(received), 0)) >= 0) {
			printf("got ");
			for (int i = 0; i < result && i < 2000; i++) printf("%02x", received[i]);
			printf("\n");
			silent = 1;
		}
	} else if (!strcmp(op, "error")) { /* what the queue of errors has */
		struct msghdr m = {.msg_iov = &(struct iovec){received, sizeof(received)}, .msg_iovlen = 1};
		result = wait_for(fd, 0, atoi(a)) ? -1 : recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	} else if (!strcmp(op, "name")) result = print_name(), silent = result == 0;
	else if (!strcmp(op, "fd")) result = printf("%d %d\n", getpid(), fd), silent = 1;
	else if (!strcmp(op, "give")) result = hand_over(a, 1);
	else if (!strcmp(op, "take")) result = hand_over(a, 0);
	else if (!strcmp(op, "open")) result = open_at(a, b);
	else if (!strcmp(op, "use")) result = use(atoi(a));
	else if (!strcmp(op, "forget")) result = forget();
	else if (!strcmp(op, "patience")) result = 0, patience = atoi(a);
	else if (!strcmp(op, "close")) result = close(fd), fd = -1;
	else if (!strcmp(op, "capture")) result = open_capture(a);
	else if (!strcmp(op, "captured")) result = print_captured(), silent = 1;
	else result = -1, errno = ENOSYS;
	return result < 0 ? -1 : silent;
}

int main(void)
{
	static char line[200000];
	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int result = 0;
		for (char *next = strtok(line, ";"); next && result >= 0; next = strtok(0, ";")) result = obey(next);
		if (result < 0) printf("%s\n", strerrorname_np(errno));
		else if (!result) printf("ok\n");
	}
	return 0;
}
