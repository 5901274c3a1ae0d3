/* The backend behind every proxy of `npm run bench -- edge`: HTTP/1.1 over TCP, keep-alive, GET and HEAD.
 *
 *   backend --port P                                              answers 302, always the same
 *   backend --port P --key-id ID --key HEX --journal FILE         opens our signed links, journals the hit,
 *                                                                 syncs, and then redirects
 *
 * As small as it can be, so that what is measured is the proxy. Ends when its standard input does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"

enum { EVENTS_AT_ONCE = 256 };

static bool has_journal;

_Noreturn void give_up(const char *what) {
  fprintf(stderr, "backend: %s\n", what);
  exit(1);
}

static void answer(struct connection *connection, const char *status, const char *location) {
  char text[TARGET_BYTES_MAX + 512];
  int length = snprintf(text, sizeof text,
                        "HTTP/1.1 %s\r\nLocation: %s\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n",
                        status, location);
  if (send(connection->descriptor, text, (size_t)length, MSG_NOSIGNAL) != length) {
    connection->is_closed = true;
  }
}

static const char *find_host(const char *head, const char *end, size_t *length) {
  const char *line = memmem(head, (size_t)(end - head), "\r\nHost: ", 8);
  if (!line) line = memmem(head, (size_t)(end - head), "\r\nhost: ", 8);
  if (!line) return NULL;
  const char *host = line + 8;
  *length = strcspn(host, "\r:");
  return host;
}

static void answer_link(struct connection *connection, const char *head, const char *end) {
  size_t host_length = 0;
  const char *host = find_host(head, end, &host_length);
  const char *path = strchr(head, ' ') + 1;
  size_t path_length = strcspn(path, " ");
  const char *reference;
  if (!host || !open_link(path, path_length, host, host_length, connection->location, &reference)) {
    answer(connection, "404 Not Found", "/");
  } else {
    append_hit(connection, reference, host, host_length);
  }
}

static void answer_requests(struct connection *connection) {
  size_t done = 0;
  while (!connection->waits && !connection->is_closed) {
    char *head = connection->bytes + done;
    char *end = memmem(head, connection->length - done, "\r\n\r\n", 4);
    if (!end) break;
    if (has_journal) answer_link(connection, head, end);
    else answer(connection, "302 Found", "https://shop.example/spring?utm_source=mail");
    done = (size_t)(end + 4 - connection->bytes);
  }
  connection->length -= done;
  memmove(connection->bytes, connection->bytes + done, connection->length);
  if (connection->length == REQUEST_BYTES_MAX) connection->is_closed = true;
}

static void end_if_closed(struct connection *connection) {
  if (!connection->is_closed || connection->waits) return;
  close(connection->descriptor);
  free(connection);
}

static void read_connection(struct connection *connection) {
  ssize_t got = recv(connection->descriptor, connection->bytes + connection->length,
                     REQUEST_BYTES_MAX - connection->length, MSG_DONTWAIT);
  if (got > 0) connection->length += (size_t)got;
  if (got == 0 || (got < 0 && errno != EAGAIN)) connection->is_closed = true;
  if (!connection->waits) answer_requests(connection);
  end_if_closed(connection);
}

static void answer_durable(int done_descriptor) {
  uint64_t unused;
  if (read(done_descriptor, &unused, sizeof unused) < 0) return;
  for (struct connection *connection = take_durable(); connection;) {
    struct connection *next = connection->next_waiting;
    connection->waits = false;
    if (!connection->is_closed) answer(connection, "302 Found", connection->location);
    answer_requests(connection);
    end_if_closed(connection);
    connection = next;
  }
}

static void accept_connection(int listener, int epoll) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return;
  int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  struct connection *connection = calloc(1, sizeof *connection);
  connection->descriptor = descriptor;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static int listen_on(int port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int yes = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) || listen(descriptor, 1024)) {
    give_up("the port is taken");
  }
  return descriptor;
}

static void watch(int epoll, int *descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = descriptor};
  epoll_ctl(epoll, EPOLL_CTL_ADD, *descriptor, &event);
}

static int parse_options(int count, char **arguments, const char **journal) {
  static const struct option OPTIONS[] = {{"port", required_argument, NULL, 'p'},
                                          {"key-id", required_argument, NULL, 'i'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"journal", required_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
  const char *key_id = "";
  int port = 0;
  for (int letter; (letter = getopt_long(count, arguments, "", OPTIONS, NULL)) != -1;) {
    if (letter == 'p') port = atoi(optarg);
    else if (letter == 'i') key_id = optarg;
    else if (letter == 'k') set_link_key(key_id, optarg);
    else if (letter == 'j') *journal = optarg;
    else exit(2);
  }
  return port;
}

int main(int count, char **arguments) {
  const char *journal = NULL;
  int listener = listen_on(parse_options(count, arguments, &journal));
  int input = STDIN_FILENO;
  int done = -1;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, &listener);
  watch(epoll, &input);
  if (journal) {
    has_journal = true;
    done = open_journal(journal);
    watch(epoll, &done);
  }
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int ready = epoll_wait(epoll, events, EVENTS_AT_ONCE, -1);
    bool has_durable = false;
    for (int index = 0; index < ready; index += 1) {
      void *what = events[index].data.ptr;
      if (what == &listener) accept_connection(listener, epoll);
      else if (what == &input) return 0;
      else if (what == &done) has_durable = true;
      else read_connection(what);
    }
    /* Last: it may end connections that other events of this turn are about. */
    if (has_durable) answer_durable(done);
  }
}
