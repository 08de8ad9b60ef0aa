/* burn THREADS: keeps so many threads busy until it is killed. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *burn(void *unused) {
  for (volatile unsigned long i = 0;; i++) {}
  return unused;
}

int main(int argc, char **argv) {
  for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; i--) {
    pthread_t thread;
    if (pthread_create(&thread, 0, burn, 0) != 0) return 1;
  }
  for (;;) pause();
}
