/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the ports and identifiers that a program chose for itself and the one that its slice owns: packets are rewritten
 * in place on their way out, and back again on their way in, checksums included. No system calls in here.
 */
#ifndef SLICE_TRANSLATE_H
#define SLICE_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

struct channel {
	int v6;
	int protocol;		 /* IPPROTO_TCP, _UDP, _ICMP or _ICMPV6 */
	int header_included;	 /* packets are sent with their IP header */
	uint16_t owned;		 /* port or identifier, host order; 0: none */
	uint16_t errors_of_port; /* ICMP: the owned TCP port whose errors it sees, 0: none */
};

/* A packet as the program sends it. */
void translate_sent(const struct channel *channel, uint8_t *packet, size_t length);

/* A packet as a raw socket receives it: IPv4 with its header, IPv6 without. */
void translate_received(const struct channel *channel, uint8_t *packet, size_t length);

/* A packet of ours as it comes back from the socket's error queue. */
void translate_returned(const struct channel *channel, uint8_t *packet, size_t length);

#endif
