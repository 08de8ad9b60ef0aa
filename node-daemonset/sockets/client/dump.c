/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice-dump: the headers of all packets of an owned port, as pcapng on stdout, for tcpdump -r - or Wireshark; --audit:
 * of all packets that the node sends. --text prints a line a packet instead, with the slice's name.
 */
#include "slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_BLOCK 65536
#define PACKET_BLOCK 6
#define OPTION_COMMENT 1
#define OPTION_FLAGS 2
#define OPTION_DROPCOUNT 4

static const char usage[] = "usage: slice-dump [--udp] [--text] PORT | slice-dump --audit [--text]\n"
			    "  PORT   a TCP port (with --udp, a UDP port) that the slice owns, or any\n"
			    "  --text one line a packet, instead of pcapng for tcpdump -r -\n"
			    "It ends with status 1 when the right to it is lost or the node manager is restarted.\n";

static int write_all(const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(STDOUT_FILENO, data, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return -1;
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

/* Whether there is something to be read; not, where nobody reads what we write any more. */
static int wait_for(int fd)
{
	struct pollfd ends[2] = { { .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO, .events = 0 } };

	while (poll(ends, 2, -1) < 0 && errno == EINTR)
		;
	return !(ends[1].revents & (POLLERR | POLLHUP | POLLNVAL));
}

static int read_all(int fd, uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t got = wait_for(fd) ? read(fd, data, size) : 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		data += got;
		size -= (size_t)got;
	}
	return 0;
}

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* An address, and the port behind it where the header shows one. */
static void print_end(int family, const uint8_t *address, const uint8_t *port)
{
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(family, address, text, sizeof(text));
	if (port)
		printf(family == AF_INET6 ? "[%s]:%d" : "%s:%d", text, port[0] << 8 | port[1]);
	else
		fputs(text, stdout);
}

static void print_packet(const uint8_t *packet, uint32_t kept)
{
	int v6 = kept > 0 && packet[0] >> 4 == 6;
	uint32_t header = v6 ? 40 : kept > 0 ? (uint32_t)(packet[0] & 0xf) * 4 : 0;
	int protocol;
	const uint8_t *ports = NULL;

	if (kept < (v6 ? 40u : 20u) || header > kept) {
		fputs("?", stdout);
		return;
	}
	protocol = packet[v6 ? 6 : 9];
	if ((protocol == SLICE_TCP || protocol == SLICE_UDP) && kept >= header + 4)
		ports = packet + header;
	if (protocol == SLICE_TCP || protocol == SLICE_UDP)
		printf("%s ", protocol == SLICE_TCP ? "tcp" : "udp");
	else
		printf("%d ", protocol);
	print_end(v6 ? AF_INET6 : AF_INET, packet + (v6 ? 8 : 12), ports);
	fputs(" > ", stdout);
	print_end(v6 ? AF_INET6 : AF_INET, packet + (v6 ? 24 : 16), ports ? ports + 2 : NULL);
	if (protocol == SLICE_TCP && kept >= header + 14)
		printf(" flags %02x", packet[header + 13]);
}

/* time, direction, slice, packet, length, and how many were lost before it */
static void print_block(const uint8_t *block, uint32_t size)
{
	uint64_t time = (uint64_t)word(block + 12) << 32 | word(block + 16);
	uint32_t kept = word(block + 20), length = word(block + 24), at = 28 + ((kept + 3) & ~3u);
	uint32_t slice_length = 0, dropped = 0, direction = 0;
	const uint8_t *slice = NULL;
	time_t seconds = (time_t)(time / 1000000000);
	struct tm parts;
	char text[32];

	if (kept > size || at > size)
		return;
	for (uint32_t option = at; option + 4 <= size - 4;) {
		uint32_t head = word(block + option), code = head & 0xffff, length_of = head >> 16;

		if (option + 4 + length_of > size)
			break;
		if (code == OPTION_COMMENT) {
			slice = block + option + 4;
			slice_length = length_of;
		} else if (code == OPTION_FLAGS && length_of == 4)
			direction = word(block + option + 4) & 3;
		else if (code == OPTION_DROPCOUNT && length_of == 8)
			dropped = word(block + option + 4);
		option += 4 + ((length_of + 3) & ~3u);
	}
	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	printf("%s.%06" PRIu64 "Z %s ", text, time % 1000000000 / 1000, direction == 1 ? "in " : "out");
	if (slice)
		printf("%.*s ", (int)slice_length, (const char *)slice);
	print_packet(block + 28, kept);
	printf(" length %u", length);
	if (dropped > 0)
		printf(" (%u lost before)", dropped);
	putchar('\n');
	fflush(stdout);
}

/* The stream has an end of its own only where the right to it was lost, or the node manager was restarted. */
static int broken_off(void)
{
	struct pollfd reader = { .fd = STDOUT_FILENO, .events = 0 };

	/* who read what we write went away first: nobody misses anything */
	if (poll(&reader, 1, 0) > 0 && reader.revents & (POLLERR | POLLHUP | POLLNVAL))
		return 0;
	fputs("slice-dump: broken off: the slice lost its right to this, or the node manager is being restarted\n", stderr);
	return 1;
}

static int dump_text(int fd)
{
	static uint8_t block[MAX_BLOCK];

	while (read_all(fd, block, 8) == 0) {
		uint32_t size = word(block + 4);

		if (size < 12 || size > sizeof(block) || read_all(fd, block + 8, size - 8) < 0)
			break;
		if (word(block) == PACKET_BLOCK && size >= 32)
			print_block(block, size);
	}
	return broken_off();
}

static int dump_stream(int fd)
{
	uint8_t data[8192];
	ssize_t got;

	while (wait_for(fd) && (got = read(fd, data, sizeof(data))) > 0)
		if (write_all(data, (size_t)got) < 0)
			return 0;
	return broken_off();
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "audit", no_argument, NULL, 'a' }, { "udp", no_argument, NULL, 'u' },
						 { "text", no_argument, NULL, 't' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	int audit = 0, udp = 0, text = 0, option, fd;
	unsigned long port = SLICE_ANY;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == '?')
			goto wrong;
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		audit |= option == 'a';
		udp |= option == 'u';
		text |= option == 't';
	}
	if (audit ? argc != optind || udp : argc != optind + 1)
		goto wrong;
	if (!audit && strcmp(argv[optind], "any") != 0) {
		char *end;

		port = strtoul(argv[optind], &end, 10);
		if (*end || port < 1 || port > 65535)
			goto wrong;
	}
	fd = audit ? slice_audit() : slice_sniff(udp ? SLICE_UDP : SLICE_TCP, (unsigned short)port, NULL);
	if (fd < 0) {
		fprintf(stderr, "slice-dump: %s: %s\n", strerror(errno), slice_error());
		return 1;
	}
	return text ? dump_text(fd) : dump_stream(fd);
wrong:
	fputs(usage, stderr);
	return 2;
}
