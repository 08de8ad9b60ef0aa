/* A program in a sliver, by the C library: sockets-client FROM TO. IPv4. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <slice.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned short checksum(const void *data, size_t size, unsigned int sum)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < size; i += 2)
		sum += (unsigned int)(at[i] << 8 | (i + 1 < size ? at[i + 1] : 0));
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((unsigned short)~sum);
}

static int fail(const char *what)
{
	printf("%s: %s (%s)\n", what, strerror(errno), slice_error());
	return 1;
}

int main(int argc, char **argv)
{
	struct { struct iphdr ip; struct tcphdr tcp; char data[4]; } syn = { 0 };
	struct { struct udphdr udp; char data[4]; } datagram = { .data = "ping" };
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct slice_opened opened;
	unsigned char packet[2048];
	int tcp, udp, errors, off = 0;

	if (argc != 3 || !inet_aton(argv[2], &to.sin_addr) || !inet_aton(argv[1], (struct in_addr *)&syn.ip.saddr))
		return 2;
	/* a whole packet, IP header and all: a SYN that carries data */
	tcp = slice_raw_tcp(AF_INET, 5001, 1, &opened);
	if (tcp < 0 || opened.port != 5001)
		return fail("slice_raw_tcp");
	syn.ip.version = 4;
	syn.ip.ihl = 5;
	syn.ip.ttl = 33;
	syn.ip.protocol = IPPROTO_TCP;
	syn.ip.daddr = to.sin_addr.s_addr;
	syn.tcp.source = htons(5001);
	syn.tcp.dest = htons(8081);
	syn.tcp.seq = htonl(1);
	syn.tcp.doff = 5;
	syn.tcp.syn = 1;
	memcpy(syn.data, "data", 4);
	syn.tcp.check = checksum(&syn.tcp, 24, (unsigned int)(ntohs(syn.ip.saddr & 0xffff) + ntohs(syn.ip.saddr >> 16) +
						   ntohs(syn.ip.daddr & 0xffff) + ntohs(syn.ip.daddr >> 16) + 6 + 24));
	if (sendto(tcp, &syn, sizeof(syn), 0, (struct sockaddr *)&to, sizeof(to)) != sizeof(syn))
		return fail("SYN");
	puts("SYN with data sent");

	udp = slice_raw_udp(AF_INET, SLICE_ANY, 0, &opened);
	if (udp < 0 || opened.port != 5001)
		return fail("slice_raw_udp");
	errors = slice_icmp_errors(AF_INET, SLICE_UDP, 5001, &opened);
	if (errors < 0 || opened.errors_of != 5001 || opened.identifier != 0)
		return fail("slice_icmp_errors");
	datagram.udp.source = htons(5001);
	datagram.udp.dest = htons(9);
	datagram.udp.len = htons(sizeof(datagram));
	if (sendto(udp, &datagram, sizeof(datagram), 0, (struct sockaddr *)&to, sizeof(to)) != sizeof(datagram))
		return fail("datagram");
	if (poll(&(struct pollfd){ .fd = errors, .events = POLLIN }, 1, 5000) != 1 ||
	    recv(errors, packet, sizeof(packet), 0) < 28)
		return fail("no error came");
	printf("error about UDP received: type %d code %d\n", packet[20], packet[21]);

	/* what the slice does not own, and what it may not undo */
	if (slice_raw_tcp(AF_INET, 5002, 0, NULL) >= 0 || errno != EPERM)
		return fail("another's port");
	if (setsockopt(tcp, SOL_SOCKET, 27 /* SO_DETACH_FILTER */, &off, sizeof(off)) == 0 || errno != EPERM)
		return fail("the filter can be taken off");
	return 0;
}
