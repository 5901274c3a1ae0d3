/* One group is written and synced while the next one gathers: no timed wait, one sync for many hits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"

enum { GROUP_BYTES_MAX = 4 << 20, HIT_BYTES_MAX = 4096 };

struct group {
  size_t length;
  struct connection *waiting;
  char bytes[GROUP_BYTES_MAX];
};

static struct group groups[2];
static struct group *gathering = &groups[0];
static struct connection *durable;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_hits = PTHREAD_COND_INITIALIZER;
static int file_descriptor;
static int done_descriptor;

static void hand_out(struct group *group) {
  pthread_mutex_lock(&lock);
  while (group->waiting) {
    struct connection *connection = group->waiting;
    group->waiting = connection->next_waiting;
    connection->next_waiting = durable;
    durable = connection;
  }
  pthread_mutex_unlock(&lock);
  uint64_t one = 1;
  if (write(done_descriptor, &one, sizeof one) < 0) give_up("eventfd");
}

static void *write_groups(void *unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&lock);
    while (!gathering->waiting) pthread_cond_wait(&has_hits, &lock);
    struct group *group = gathering;
    gathering = group == &groups[0] ? &groups[1] : &groups[0];
    pthread_mutex_unlock(&lock);
    for (size_t written = 0; written < group->length;) {
      ssize_t count = write(file_descriptor, group->bytes + written, group->length - written);
      if (count < 0) give_up("the journal cannot be written");
      written += (size_t)count;
    }
    if (fdatasync(file_descriptor) != 0) give_up("the journal cannot be synced");
    group->length = 0;
    hand_out(group);
  }
  return NULL;
}

int open_journal(const char *file) {
  file_descriptor = open(file, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  done_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  pthread_t thread;
  if (file_descriptor < 0 || done_descriptor < 0 || pthread_create(&thread, NULL, write_groups, NULL)) {
    give_up("the journal cannot be opened");
  }
  return done_descriptor;
}

void append_hit(struct connection *connection, const char *reference, const char *hostname,
                size_t hostname_length) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  connection->waits = true;
  pthread_mutex_lock(&lock);
  struct group *group = gathering;
  if (GROUP_BYTES_MAX - group->length < HIT_BYTES_MAX) give_up("the journal is too slow");
  group->length += (size_t)snprintf(
      group->bytes + group->length, HIT_BYTES_MAX,
      "{\"at\":%ld%03ld,\"kind\":\"click\",\"hostname\":\"%.*s\",\"reference\":\"%s\",\"target\":\"%s\"}\n",
      now.tv_sec, now.tv_nsec / 1000000, (int)hostname_length, hostname, reference, connection->location);
  connection->next_waiting = group->waiting;
  bool is_first = !group->waiting;
  group->waiting = connection;
  if (is_first) pthread_cond_signal(&has_hits);
  pthread_mutex_unlock(&lock);
}

struct connection *take_durable(void) {
  pthread_mutex_lock(&lock);
  struct connection *connection = durable;
  durable = NULL;
  pthread_mutex_unlock(&lock);
  return connection;
}
