/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice-run PROGRAM [ARGUMENT...]: runs a program with libslice-shim.so preloaded. Many images give ping and the like a
 * file capability; where a container has dropped that capability the kernel refuses to start them, and where it has not,
 * the loader ignores preloads. A copy in memory has no such capability, and is started instead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEFAULT_SHIM "/run/slice/lib/libslice-shim.so"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The program's path as execvp(3) would find it; NULL where there is none. */
static const char *find(const char *name)
{
	static char path[4096];
	const char *at = getenv("PATH");

	if (strchr(name, '/'))
		return name;
	for (at = at && *at ? at : DEFAULT_PATH; *at; at += strcspn(at, ":"), at += *at == ':') {
		int length = (int)strcspn(at, ":");

		snprintf(path, sizeof(path), "%.*s/%s", length, at, name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

/* Only returns where it fails. */
static void run_copy(const char *path, char **argv)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create(argv[0], MFD_CLOEXEC);
	struct stat info;
	off_t left;

	if (from < 0 || to < 0 || fstat(from, &info) < 0)
		return;
	for (left = info.st_size; left > 0;) {
		ssize_t sent = sendfile(to, from, NULL, (size_t)left);

		if (sent <= 0)
			return;
		left -= sent;
	}
	fexecve(to, argv, environ);
}

int main(int argc, char **argv)
{
	const char *shim = getenv("SLICE_SHIM");
	const char *path;

	if (argc < 2) {
		fprintf(stderr, "usage: slice-run PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	path = find(argv[1]);
	if (!path) {
		fprintf(stderr, "slice-run: %s: not found\n", argv[1]);
		return 127;
	}
	setenv("LD_PRELOAD", shim && *shim ? shim : DEFAULT_SHIM, 1);
	if (getxattr(path, "security.capability", NULL, 0) > 0)
		run_copy(path, argv + 1);
	else
		execv(path, argv + 1);
	fprintf(stderr, "slice-run: %s: %s\n", path, strerror(errno));
	return 126;
}
