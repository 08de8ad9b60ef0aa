/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw socket's queue of errors, as IP_RECVERR makes it: the node's sockets have none, for the kernel would put errors about
 * others' packets into it. Ours is made of what a second socket receives, which sees errors about own packets alone.
 */
#ifndef SLICE_ERRORS_H
#define SLICE_ERRORS_H

#include "translate.h"

#include <sys/socket.h>

/* A socket for the errors about what a channel sends; -1 and errno. */
int errors_open(const struct channel *channel);

/* Whether this, received by a channel, is an error, which its queue has, too. */
int errors_is_one(const struct channel *channel, const unsigned char *packet, size_t length);

/*
 * Before a channel is read: waits for it or for an error, if the channel would. -1 and errno where there is an error that
 * `told` does not say the program knows of, or nothing in time.
 */
int errors_wait(int channel, int fd, int flags, int *told);

/* As recvmsg() with MSG_ERRQUEUE: never waits. */
ssize_t errors_receive(const struct channel *channel, int fd, struct msghdr *message);

#endif
