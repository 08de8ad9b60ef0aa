/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw sockets and sniffers for a process without any capability: asks the node manager, over the sliver's socket. Every
 * function returns a descriptor that the caller closes, or -1 with errno: EPERM no right to it, EADDRINUSE an ordinary
 * socket is open on the port, EMFILE or EBUSY too much is open, ENOENT not in a sliver. slice_error() says it in words.
 */
#ifndef SLICE_H
#define SLICE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Instead of a port or identifier: the lowest that the slice owns. */
#define SLICE_ANY 0

enum slice_protocol { SLICE_NONE = 0, SLICE_TCP = 6, SLICE_UDP = 17 };

/* What was opened: which port or identifier SLICE_ANY became. Every pointer to one may be NULL. */
struct slice_opened {
	unsigned short port;       /* of raw_tcp, raw_udp, sniff */
	unsigned short identifier; /* of icmp; 0: errors only */
	unsigned short errors_of;  /* of icmp; 0: none */
};

/*
 * A raw socket (SOCK_RAW, IPPROTO_TCP or IPPROTO_UDP) that sends segments from this port, and receives those for it.
 * family: AF_INET or AF_INET6. header_included: whole packets are sent, IP header and all.
 */
int slice_raw_tcp(int family, unsigned short port, int header_included, struct slice_opened *opened);
int slice_raw_udp(int family, unsigned short port, int header_included, struct slice_opened *opened);

/* A raw socket for echo requests with this identifier, their replies, and errors about them. */
int slice_icmp(int family, unsigned short identifier, struct slice_opened *opened);

/* The same, which also receives errors about packets from an owned TCP or UDP port. */
int slice_icmp_with_errors(int family, unsigned short identifier, enum slice_protocol protocol, unsigned short port,
			   struct slice_opened *opened);

/* A raw socket that only receives ICMP errors, about packets from an owned TCP or UDP port. */
int slice_icmp_errors(int family, enum slice_protocol protocol, unsigned short port, struct slice_opened *opened);

/* A stream of pcapng: the headers of every packet that the node sends from this port or receives for it. */
int slice_sniff(enum slice_protocol protocol, unsigned short port, struct slice_opened *opened);

/* The same, of every packet that the node sends, with the slice's name as the packet's comment. */
int slice_audit(void);

/* Why this thread's last call failed, in words. */
const char *slice_error(void);

#ifdef __cplusplus
}
#endif
#endif
