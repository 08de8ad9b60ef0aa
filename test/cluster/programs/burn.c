/* burn [N]: keeps N processes (default 1) busy on a CPU until told to end. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void end(int signal) { (void)signal; kill(0, SIGKILL); }

int main(int argc, char **argv) {
  struct sigaction ending = {.sa_handler = end};
  setpgid(0, 0);
  sigaction(SIGTERM, &ending, 0);
  sigaction(SIGINT, &ending, 0);
  for (int more = argc > 1 ? atoi(argv[1]) : 1; more > 1; more--)
    if (fork() == 0) break;
  for (volatile unsigned long turns = 0;; turns++);
}
