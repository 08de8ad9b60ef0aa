/*
 * flood ADDRESS PORT MBITS [SEGMENTS]: sends UDP at a fixed pace until it is killed; with SEGMENTS, as GSO buffers
 * (UDP_SEGMENT) of so many datagrams each.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define PAYLOAD 1400
#define UDP_SEGMENT 103

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  int segments = argc > 4 ? atoi(argv[4]) : 1, size = PAYLOAD;
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  if (segments > 1 && setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0) {
    perror("UDP_SEGMENT");
    return 1;
  }
  static char buffer[PAYLOAD * 44];
  int length = PAYLOAD * segments;
  if (length > (int)sizeof buffer) return 2;
  double interval = length * 8 / atof(argv[3]) * 1000; /* ns between two buffers */
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  for (;;) {
    sendto(s, buffer, length, 0, (struct sockaddr *)&to, sizeof to);
    at.tv_nsec += (long)interval;
    while (at.tv_nsec >= 1000000000) at.tv_nsec -= 1000000000, at.tv_sec++;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0);
  }
}
