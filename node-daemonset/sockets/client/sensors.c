/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice-sensors: runs the programs of a slice's command sensors, in the sliver, as whoever started it. It connects to the
 * sliver's socket and waits for work; the node manager sends a program's arguments and reads what it writes. A program
 * ends with its connection. Start it in the bootScript: /run/slice/bin/slice-sensors &
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/slice/sensors"
#define MAX_WORDS 65
#define MAX_BYTES 70000
/* As many as a node serves of a namespace, and one that ends. */
#define MAX_RUNNING 33

static const char usage[] = "usage: slice-sensors: waits in a sliver for the commands of its slice's Sensors, and runs them\n"
			    "  SLICE_SENSORS  the socket, if not " DEFAULT_SOCKET "\n";
static const char ASK[] = "GET / HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: slice-sensors\r\n\r\n";

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

/* All of it, or -1: whoever does not read is hung up on by the other side, not by us. */
static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t done = send(fd, bytes, length, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		bytes += done;
		length -= (size_t)done;
	}
	return 0;
}

/* Up to and with a last character; its length, or -1. */
static int read_until(int fd, char *into, int size, const char *end)
{
	int length = 0;

	while (length < size - 1) {
		ssize_t got = recv(fd, into + length, 1, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		into[++length] = 0;
		if (length >= (int)strlen(end) && strcmp(into + length - strlen(end), end) == 0)
			return length;
	}
	return -1;
}

/* A connection that has been told that it is an agent's; -1 where there is none to be had now. */
static int connect_agent(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char answer[1024];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	errno = 0;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && write_all(fd, ASK, sizeof(ASK) - 1) == 0 &&
	    read_until(fd, answer, sizeof(answer), "\r\n\r\n") > 0 && strncmp(answer, "HTTP/1.1 101 ", 13) == 0)
		return fd;
	/* whoever answers is no node manager, or said no */
	if (errno == 0)
		errno = EPROTO;
	close(fd);
	return -1;
}

/* "<ms> <bytes>\n" and the words, each with a zero at its end; how many there are, or -1. */
static int read_work(int fd, long *timeout, char *bytes, char **words)
{
	char line[64];
	long length;
	int count = 0, at = 0;

	if (read_until(fd, line, sizeof(line), "\n") < 0 || sscanf(line, "%ld %ld", timeout, &length) != 2)
		return -1;
	if (length < 1 || length > MAX_BYTES)
		return -1;
	while (at < length) {
		ssize_t got = recv(fd, bytes + at, (size_t)(length - at), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		at += (int)got;
	}
	if (bytes[length - 1] != 0)
		return -1;
	for (at = 0; at < length && count < MAX_WORDS - 1; at += (int)strlen(bytes + at) + 1)
		words[count++] = bytes + at;
	words[count] = NULL;
	return count;
}

/* In a process group of its own, so that what it starts ends with it. */
static pid_t start(char **words, int *output)
{
	int ends[2], nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t parent = getpid(), pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid != 0) {
		close(ends[1]);
		if (nothing >= 0)
			close(nothing);
		*output = ends[0];
		return pid;
	}
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	dup2(nothing, 0);
	dup2(ends[1], 1);
	close(ends[0]);
	execvp(words[0], words);
	/* the other end tells this from what a program writes by the zero before it */
	dprintf(1, "%cfailed %s\n", 0, strerror(errno));
	_exit(127);
}

/* Carries what the program writes until it ends, its time is over, or nobody listens any more. */
static void carry(int fd, int output, long deadline, pid_t pid)
{
	char bytes[16384];

	for (;;) {
		struct pollfd ends[2] = { { .fd = output, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
		long left = deadline == 0 ? -1 : deadline - now_ms();
		ssize_t got;

		if (deadline != 0 && left <= 0)
			break;
		if (poll(ends, 2, (int)left) < 0 && errno != EINTR)
			break;
		/* nothing more is said to us: whatever comes is the end */
		if (ends[1].revents)
			break;
		if (!ends[0].revents)
			continue;
		got = read(output, bytes, sizeof(bytes));
		if (got <= 0)
			return;
		if (write_all(fd, bytes, (size_t)got) < 0)
			break;
	}
	kill(-pid, SIGKILL);
}

/* Its output is over: many programs close it just before they end, others have no use here. Leaves the zombie. */
static void await_end(pid_t pid)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		siginfo_t info = { .si_pid = 0 };

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid)
			return;
		usleep(10000);
	}
}

/* Kills whatever has this process as its parent now. */
static void kill_children(void)
{
	DIR *all = opendir("/proc");
	struct dirent *one;

	while (all && (one = readdir(all))) {
		char path[300], line[512], *after;
		int fd, parent = 0;
		ssize_t got;

		if (!isdigit((unsigned char)one->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", one->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		got = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
		if (fd >= 0)
			close(fd);
		line[got > 0 ? got : 0] = 0;
		/* the name is what its program likes, with blanks and brackets */
		after = strrchr(line, ')');
		if (after && sscanf(after + 1, " %*c %d", &parent) == 1 && parent == getpid())
			kill((pid_t)atol(one->d_name), SIGKILL);
	}
	if (all)
		closedir(all);
}

/*
 * What has left the program's process group, as setsid does, came to this process when its parent ended: it is killed and
 * waited for until there is none, or so often that it must be a race which somebody means to win.
 */
static void end_all(void)
{
	int round;

	for (round = 0; round < 200; round++) {
		pid_t ended;

		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (ended < 0 && errno == ECHILD)
			return;
		kill_children();
		usleep(round < 20 ? 1000 : 10000);
	}
}

static void work(int fd, long timeout, char **words)
{
	char ending[64];
	int output, status = 0, length;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = start(words, &output);

	if (pid < 0) {
		length = snprintf(ending, sizeof(ending), "%cfailed %s\n", 0, strerror(errno));
	} else {
		setpgid(pid, pid);
		carry(fd, output, timeout > 0 ? now_ms() + timeout : 0, pid);
		await_end(pid);
		kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		end_all();
		length = WIFSIGNALED(status) ? snprintf(ending, sizeof(ending), "%csignal %d\n", 0, WTERMSIG(status))
					     : snprintf(ending, sizeof(ending), "%cexit %d\n", 0, WEXITSTATUS(status));
	}
	write_all(fd, ending, (size_t)length);
	_exit(0);
}

int main(int argc, char **argv)
{
	static char bytes[MAX_BYTES];
	static char *words[MAX_WORDS];
	const char *path = getenv("SLICE_SENSORS");
	int running = 0, silent = 0;

	if (argc > 1) {
		int asked = strcmp(argv[1], "--help") == 0;

		fputs(usage, asked ? stdout : stderr);
		return asked ? 0 : 2;
	}
	if (!path || !*path)
		path = DEFAULT_SOCKET;
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		long timeout;
		pid_t pid;
		int fd;

		/* before there is a connection, which says that a program can be run now */
		while (running > 0 && waitpid(-1, NULL, running < MAX_RUNNING ? WNOHANG : 0) > 0)
			running--;
		fd = connect_agent(path);
		if (fd < 0) {
			/* before there is a socket, and when the node manager is being replaced */
			if (!silent)
				fprintf(stderr, "slice-sensors: %s: %s; trying again\n", path, strerror(errno));
			silent = 1;
			sleep(1);
			continue;
		}
		silent = 0;
		if (read_work(fd, &timeout, bytes, words) <= 0) {
			close(fd);
			usleep(100000);
			continue;
		}
		pid = fork();
		if (pid == 0)
			work(fd, timeout, words);
		if (pid > 0)
			running++;
		close(fd);
	}
}
