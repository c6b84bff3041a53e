/* RTP phones for the benchmark: sends for many legs from few sockets, and measures what comes back.
 *
 * Usage: generator BASE_PORT SPEECH_FILE WARM_S SECONDS < "PORT OTHER" lines, one a leg
 *   BASE_PORT  first of the SOCKETS local ports; leg n sends from and receives at BASE_PORT + 2 * (n % SOCKETS)
 *   PORT       the bridge's port for the leg; OTHER: the leg at whose phone its packets must arrive
 * Every payload begins with leg, number and sending time; the kernel stamps arrival, so that waiting in this process
 * counts for nothing. Writes "begin" and "end" around the measured seconds, then one JSON line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 16
#define MOST 4096
#define PAYLOAD 160
#define MARK 20
#define SLOTS 20
#define BINS 1000000 /* one a microsecond */

struct leg { struct sockaddr_in to; int other; uint32_t sent, received, next; };
static struct leg legs[MOST];
static int count, sockets[SOCKETS];
static uint8_t *speech;
static long speech_size;
static uint32_t *bins;
static uint64_t first_counted, lost_order, foreign, bad, arrived, refused;

static uint64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static void take(int sock) {
  uint8_t data[2048], control[128];
  for (;;) {
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(sock, &message, MSG_DONTWAIT);
    if (size < 0) { if (errno == EAGAIN) return; continue; } /* an ICMP error of an earlier send is no packet */
    if (size != 12 + PAYLOAD) { foreign += (data[1] & 0x7f) < 64; continue; } /* RTCP comes to the same port */
    uint32_t leg, number;
    uint64_t at, came = 0;
    memcpy(&leg, data + 12, 4);
    memcpy(&number, data + 16, 4);
    memcpy(&at, data + 20, 8);
    if (leg >= (uint32_t)count || memcmp(data + 28, "mark", 4)) { bad++; continue; }
    if (number != legs[leg].next) lost_order++;
    legs[leg].next = number + 1;
    legs[leg].received++;
    arrived++;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
        struct timespec t;
        memcpy(&t, CMSG_DATA(c), sizeof t);
        came = (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
      }
    if (at >= first_counted && came > at) {
      uint64_t bin = (came - at) / 1000;
      bins[bin < BINS ? bin : BINS - 1]++;
    }
  }
}

static void take_until(uint64_t due) {
  struct pollfd waiting[SOCKETS];
  for (int i = 0; i < SOCKETS; i++) waiting[i] = (struct pollfd){sockets[i], POLLIN, 0};
  for (;;) {
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (now >= due) return;
    /* Sleep first: reading in batches keeps this process light. The kernel has the times. */
    struct timespec left = {0, (long)(due - now > 1000000 ? 1000000 : due - now)};
    nanosleep(&left, NULL);
    if (poll(waiting, SOCKETS, 0) > 0)
      for (int i = 0; i < SOCKETS; i++) if (waiting[i].revents) take(sockets[i]);
  }
}

static void send_one(int n, uint32_t tick) {
  uint8_t data[12 + PAYLOAD] = {0x80, 0};
  struct leg *leg = &legs[n];
  uint16_t seq = htons((uint16_t)tick);
  uint32_t stamp = htonl(tick * PAYLOAD), ssrc = htonl(0x1000 + n), number = leg->sent, self = n;
  memcpy(data + 2, &seq, 2);
  memcpy(data + 4, &stamp, 4);
  memcpy(data + 8, &ssrc, 4);
  long at = ((long)tick * PAYLOAD + (long)n * 40000) % (speech_size - PAYLOAD);
  memcpy(data + 12, speech + at, PAYLOAD);
  memcpy(data + 12, &self, 4);
  memcpy(data + 16, &number, 4);
  memcpy(data + 28, "mark", 4);
  uint64_t now = now_ns(CLOCK_REALTIME);
  memcpy(data + 20, &now, 8);
  if (sendto(sockets[n % SOCKETS], data, sizeof data, 0, (struct sockaddr *)&leg->to, sizeof leg->to) < 0) refused++;
  else leg->sent++;
}

static double percentile(uint64_t total, double share) {
  uint64_t seen = 0, wanted = (uint64_t)(total * share);
  for (long bin = 0; bin < BINS; bin++) if ((seen += bins[bin]) > wanted) return bin / 1000.0;
  return BINS / 1000.0;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int base = atoi(argv[1]), warm = (int)(atof(argv[3]) * 50), ticks = warm + (int)(atof(argv[4]) * 50), port, other;
  FILE *file = fopen(argv[2], "rb");
  if (!file) return 2;
  fseek(file, 0, SEEK_END);
  speech_size = ftell(file);
  rewind(file);
  speech = malloc(speech_size);
  if (fread(speech, 1, speech_size, file) != (size_t)speech_size) return 2;
  bins = calloc(BINS, sizeof *bins);
  while (count < MOST && scanf("%d %d", &port, &other) == 2) {
    legs[count].to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    legs[count].to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    legs[count++].other = other;
  }
  for (int i = 0; i < SOCKETS; i++) {
    int size = 8 << 20, on = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(base + 2 * i)};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
    if (setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
      setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(sockets[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (bind(sockets[i], (struct sockaddr *)&here, sizeof here)) { perror("bind"); return 1; }
  }
  uint64_t start = now_ns(CLOCK_MONOTONIC) + 50000000, late = 0;
  first_counted = UINT64_MAX;
  for (int tick = 0; tick < ticks; tick++) {
    if (tick == warm) {
      first_counted = now_ns(CLOCK_REALTIME);
      puts("begin");
      fflush(stdout);
    }
    for (int slot = 0; slot < SLOTS; slot++) {
      uint64_t due = start + tick * 20000000ull + slot * 1000000ull;
      take_until(due);
      uint64_t now = now_ns(CLOCK_MONOTONIC);
      if (now - due > late) late = now - due;
      for (int n = slot; n < count; n += SLOTS) send_one(n, tick);
    }
  }
  take_until(start + ticks * 20000000ull);
  puts("end");
  fflush(stdout);
  take_until(now_ns(CLOCK_MONOTONIC) + 500000000);
  uint64_t sent = 0, total = 0;
  for (int n = 0; n < count; n++) sent += legs[n].sent;
  for (long bin = 0; bin < BINS; bin++) total += bins[bin];
  printf("{\"sent\": %lu, \"received\": %lu, \"lost\": %ld, \"out_of_order\": %lu, \"bad\": %lu, \"refused\": %lu, "
         "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"most_ms\": %.3f, \"generator_late_ms\": %.3f}\n",
         sent, arrived, (long)sent - (long)arrived, lost_order, bad + foreign, refused, percentile(total, 0.5),
         percentile(total, 0.99), percentile(total, 0.999), percentile(total, 0.999999), late / 1e6);
  return 0;
}
