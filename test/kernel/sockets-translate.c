/* Drives translate.c: what goes out comes back as it was, checksums hold, and no packet makes it read or write beyond its end. */
#include "translate.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(...) (fprintf(stderr, __VA_ARGS__), exit(1))

static unsigned int sum(const uint8_t *data, size_t length)
{
	unsigned int total = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		total += (unsigned int)(data[i] << 8 | data[i + 1]);
	while (total > 0xffff)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static void set16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)(at[0] << 8 | at[1]);
}

static void fill(uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)rand();
}

/* An IPv4 header before a segment, as a raw socket receives it. */
static size_t received(uint8_t *packet, int protocol, const uint8_t *segment, size_t length)
{
	memset(packet, 0, 20);
	packet[0] = 0x45;
	packet[9] = (uint8_t)protocol;
	memcpy(packet + 20, segment, length);
	return 20 + length;
}

/* An echo request with an identifier of the program's own, and its reply. */
static void echo_returns(void)
{
	struct channel channel = { .protocol = IPPROTO_ICMP, .owned = 77 };
	uint8_t echo[64], packet[128];

	fill(echo, sizeof(echo));
	set16(echo, 0x0800);
	set16(echo + 2, 0);
	set16(echo + 2, 0xffff & ~sum(echo, sizeof(echo)));
	unsigned int chosen = get16(echo + 4);

	translate_sent(&channel, echo, sizeof(echo));
	if (get16(echo + 4) != 77 || sum(echo, sizeof(echo)) != 0xffff)
		FAIL("request: identifier %u, sum %x\n", get16(echo + 4), sum(echo, sizeof(echo)));
	set16(echo, 0); /* a reply, its checksum without the 8 */
	set16(echo + 2, 0);
	set16(echo + 2, 0xffff & ~sum(echo, sizeof(echo)));
	size_t length = received(packet, IPPROTO_ICMP, echo, sizeof(echo));

	translate_received(&channel, packet, length);
	if (get16(packet + 24) != chosen || sum(packet + 20, sizeof(echo)) != 0xffff)
		FAIL("reply: identifier %u of %u\n", get16(packet + 24), chosen);
}

/* Segments of two ports at once: each answer finds the port whose segment it answers. */
static void answers_find_their_port(void)
{
	struct channel channel = { .protocol = IPPROTO_TCP, .owned = 5001 };
	struct channel errors = { .protocol = IPPROTO_ICMP, .errors_of_port = 5001 };
	uint8_t sent[2][20], packet[128];

	for (int i = 0; i < 2; i++) {
		fill(sent[i], sizeof(sent[i]));
		set16(sent[i], 40000u + (unsigned int)i);
		set16(sent[i] + 2, 80);
		translate_sent(&channel, sent[i], sizeof(sent[i]));
		if (get16(sent[i]) != 5001)
			FAIL("segment from %u\n", get16(sent[i]));
	}
	for (int i = 0; i < 2; i++) {
		uint8_t answer[20] = { 0 }, error[8 + 20 + 8] = { 0 };
		unsigned int acknowledged = (get16(sent[i] + 4) << 16 | get16(sent[i] + 6)) + 1;

		set16(answer, 80);
		set16(answer + 2, 5001);
		set16(answer + 8, acknowledged >> 16);
		set16(answer + 10, acknowledged & 0xffff);
		translate_received(&channel, packet, received(packet, IPPROTO_TCP, answer, sizeof(answer)));
		if (get16(packet + 22) != 40000u + (unsigned int)i)
			FAIL("answer %d for port %u\n", i, get16(packet + 22));
		error[0] = 11;
		error[8] = 0x45;
		error[8 + 9] = IPPROTO_TCP;
		memcpy(error + 28, sent[i], 8);
		set16(error + 2, 0xffff & ~sum(error, sizeof(error)));
		translate_received(&errors, packet, received(packet, IPPROTO_ICMP, error, sizeof(error)));
		if (get16(packet + 48) != 40000u + (unsigned int)i || sum(packet + 20, sizeof(error)) != 0xffff)
			FAIL("error %d about port %u\n", i, get16(packet + 48));
	}
}

int main(void)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 };

	srand(1);
	for (int i = 0; i < 1000; i++)
		echo_returns();
	answers_find_their_port();
	for (int i = 0; i < 300000; i++) {
		size_t length = (size_t)(rand() % 80);
		uint8_t *packet = malloc(length ? length : 1); /* so that the sanitizer knows its end */
		struct channel channel = { .v6 = rand() % 2, .protocol = protocols[rand() % 4], .header_included = rand() % 2,
					   .owned = (uint16_t)(rand() % 3), .errors_of_port = (uint16_t)(rand() % 3) };

		fill(packet, length);
		for (size_t j = 0; j < length; j += 3)
			packet[j] = (uint8_t)(rand() % 3); /* ports and types that mean something */
		translate_sent(&channel, packet, length);
		translate_received(&channel, packet, length);
		translate_returned(&channel, packet, length);
		free(packet);
	}
	puts("ok");
	return 0;
}
