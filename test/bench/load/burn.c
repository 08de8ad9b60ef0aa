/* burn THREADS: keeps so many threads busy until its stdin is closed. */
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
  char ignored;
  while (read(0, &ignored, 1) > 0) {}
  return 0;
}
