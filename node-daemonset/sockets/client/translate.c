/* SPDX-License-Identifier: Apache-2.0 */
#include "translate.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

/* The last segments that were sent from ports of the program's own choice. */
#define SEGMENTS 1024

struct segment {
	int protocol;
	uint16_t chosen, owned, remote_port;
	uint32_t sequence; /* TCP */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct segment segments[SEGMENTS];
static unsigned int next_segment;
/* The identifier that the program chose last, for IPv4 and IPv6; -1: none. */
static int chosen_identifier[2] = { -1, -1 };

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)read16(at) << 16 | read16(at + 2);
}

/* Writes a half, and corrects the checksum over it (RFC 1624). A checksum of 0 is none: it is left to the kernel. */
static void replace16(uint8_t *at, uint16_t value, uint8_t *checksum)
{
	uint16_t before = read16(at);

	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	if (checksum && read16(checksum) != 0) {
		uint32_t sum = (uint16_t)~read16(checksum) + (uint32_t)(uint16_t)~before + value;

		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		checksum[0] = (uint8_t)(~sum >> 8);
		checksum[1] = (uint8_t)~sum;
	}
}

static void remember(const struct segment *sent)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < SEGMENTS; i++) {
		struct segment *known = &segments[i];

		/* of one UDP or TCP conversation only the last is needed */
		if (known->protocol == sent->protocol && known->chosen == sent->chosen &&
		    known->remote_port == sent->remote_port) {
			*known = *sent;
			goto out;
		}
	}
	segments[next_segment++ % SEGMENTS] = *sent;
out:
	pthread_mutex_unlock(&lock);
}

/* The port that the program chose for what this belongs to; the owned one where it is not known. */
static uint16_t recall(int protocol, uint16_t owned, uint16_t remote_port, uint32_t sequence)
{
	uint16_t found = owned;

	pthread_mutex_lock(&lock);
	for (unsigned int back = 1; back <= SEGMENTS; back++) {
		const struct segment *known = &segments[(next_segment - back) % SEGMENTS];

		if (known->protocol != protocol || known->owned != owned || known->remote_port != remote_port)
			continue;
		if (found == owned)
			found = known->chosen;
		if (known->sequence == sequence) {
			found = known->chosen;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static uint8_t *checksum_of(int protocol, uint8_t *segment, size_t length)
{
	size_t at = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;

	return length >= at + 2 ? segment + at : NULL;
}

/* Where the transport header begins; the length itself where there is none. */
static size_t header_of(int v6, const uint8_t *packet, size_t length)
{
	size_t header = v6 ? 40 : length > 0 ? (size_t)(packet[0] & 0xf) * 4 : 0;

	return header < length ? header : length;
}

static int is_icmp(const struct channel *channel)
{
	return channel->protocol == IPPROTO_ICMP || channel->protocol == IPPROTO_ICMPV6;
}

void translate_sent(const struct channel *channel, uint8_t *packet, size_t length)
{
	size_t skip = channel->header_included ? header_of(channel->v6, packet, length) : 0;
	uint8_t *segment = packet + skip;

	length -= skip;
	if (channel->owned == 0 || length < 8)
		return;
	if (is_icmp(channel)) {
		if (segment[0] != (channel->v6 ? 128 : 8))
			return;
		pthread_mutex_lock(&lock);
		chosen_identifier[channel->v6] = read16(segment + 4);
		pthread_mutex_unlock(&lock);
		replace16(segment + 4, channel->owned, segment + 2);
		return;
	}
	if (read16(segment) == channel->owned)
		return;
	remember(&(struct segment){ .protocol = channel->protocol, .chosen = read16(segment), .owned = channel->owned,
				    .remote_port = read16(segment + 2),
				    .sequence = channel->protocol == IPPROTO_TCP ? read32(segment + 4) : 0 });
	replace16(segment, channel->owned, checksum_of(channel->protocol, segment, length));
}

static uint16_t recall_identifier(const struct channel *channel)
{
	int chosen;

	pthread_mutex_lock(&lock);
	chosen = chosen_identifier[channel->v6];
	pthread_mutex_unlock(&lock);
	return chosen < 0 ? channel->owned : (uint16_t)chosen;
}

/* A transport header that we sent; `outer`: the checksum of the ICMP error that quotes it, NULL where there is none. */
static void restore_sent(const struct channel *channel, int protocol, uint8_t *segment, size_t length, uint8_t *outer)
{
	uint16_t port;

	if (length < 8)
		return;
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		/* identifier and checksum are both quoted: what one adds to the outer checksum the other takes away */
		if (channel->owned != 0 && read16(segment + 4) == channel->owned)
			replace16(segment + 4, recall_identifier(channel), segment + 2);
		return;
	}
	port = read16(segment);
	if (port == (is_icmp(channel) ? channel->errors_of_port : channel->owned) && port != 0)
		replace16(segment,
			  recall(protocol, port, read16(segment + 2), protocol == IPPROTO_TCP ? read32(segment + 4) : 0),
			  outer);
}

void translate_returned(const struct channel *channel, uint8_t *packet, size_t length)
{
	size_t skip = channel->header_included ? header_of(channel->v6, packet, length) : 0;

	restore_sent(channel, channel->protocol, packet + skip, length - skip, NULL);
}

static int is_error(const struct channel *channel, uint8_t type)
{
	if (channel->v6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 11 || type == 12;
}

void translate_received(const struct channel *channel, uint8_t *packet, size_t length)
{
	size_t skip = channel->v6 ? 0 : header_of(0, packet, length);
	uint8_t *segment = packet + skip;

	length -= skip;
	if (length < 8)
		return;
	if (!is_icmp(channel)) {
		uint16_t chosen;
		uint32_t answered = 0;

		if (channel->owned == 0 || read16(segment + 2) != channel->owned)
			return;
		if (channel->protocol == IPPROTO_TCP && length >= 12)
			answered = read32(segment + 8) - 1;
		chosen = recall(channel->protocol, channel->owned, read16(segment), answered);
		replace16(segment + 2, chosen, checksum_of(channel->protocol, segment, length));
		return;
	}
	if (segment[0] == (channel->v6 ? 129 : 0)) {
		if (channel->owned != 0 && read16(segment + 4) == channel->owned)
			replace16(segment + 4, recall_identifier(channel), segment + 2);
	} else if (is_error(channel, segment[0]) && length > 8 + 20) {
		uint8_t *quoted = segment + 8;
		size_t header = header_of(channel->v6, quoted, length - 8);
		int protocol = quoted[channel->v6 ? 6 : 9];

		restore_sent(channel, protocol, quoted + header, length - 8 - header, segment + 2);
	}
}
