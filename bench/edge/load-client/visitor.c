/* One visitor: connects, shakes hands, asks, reads the answer, and does it again as its mode says. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load-client.h"

enum step { SHAKING, ASKING, READING };
enum { REQUEST_BYTES_MAX = 8192 };

struct visitor {
  int descriptor;
  SSL *tls;
  enum step step;
  struct target *target;
  SSL_SESSION *session;
  bool has_been_here;
  uint64_t began_us;
  char request[REQUEST_BYTES_MAX];
  int request_length;
  struct answer answer;
};

struct counts counts;

static const struct options *options;
static struct targets *targets;
static SSL_CTX *context;
static int epoll_descriptor;

/* TLS 1.2 calls it within the handshake, 1.3 whenever a ticket arrives. The newest is kept. */
static int keep_session(SSL *tls, SSL_SESSION *session) {
  struct visitor *visitor = SSL_get_app_data(tls);
  if (options->mode == RESUMED && visitor->session) return 0;
  SSL_SESSION_free(visitor->session);
  visitor->session = session;
  return 1;
}

/* Checking chains is the client's own work, the same for every server: done once, in check.c. */
static int believe(X509_STORE_CTX *store, void *unused) {
  (void)store;
  (void)unused;
  return 1;
}

void prepare_visitors(const struct options *wanted, struct targets *all, int epoll) {
  options = wanted;
  targets = all;
  epoll_descriptor = epoll;
  context = SSL_CTX_new(TLS_client_method());
  if (!context) give_up("OpenSSL has no TLS");
  SSL_CTX_set_min_proto_version(context, options->tls_version);
  SSL_CTX_set_max_proto_version(context, options->tls_version);
  SSL_CTX_set_cert_verify_callback(context, believe, NULL);
  if (options->mode == RESUMED || options->mode == SINGLE_USE) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
  }
}

struct visitor *create_visitor(void) {
  struct visitor *visitor = calloc(1, sizeof *visitor);
  if (!visitor) give_up("out of memory");
  visitor->target = next_target(targets);
  return visitor;
}

/* Visitors come from many places: a limit per address must not stop what is no attack, and one address
 * has too few ports for thousands of connections a second. */
static struct in_addr next_source(void) {
  static uint32_t turn;
  turn = (turn + 1) % (uint32_t)options->source_addresses;
  return (struct in_addr){htonl(0x7f010001u + turn)};
}

int connect_to_server(const struct options *wanted, bool waits) {
  options = wanted;
  int descriptor = socket(AF_INET, SOCK_STREAM | (waits ? 0 : SOCK_NONBLOCK), 0);
  if (descriptor < 0) give_up("no socket: %s", strerror(errno));
  int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr = next_source()};
  if (bind(descriptor, (struct sockaddr *)&source, sizeof source) != 0) {
    give_up("no source address: %s", strerror(errno));
  }
  const struct sockaddr *server = (const struct sockaddr *)&wanted->server;
  if (connect(descriptor, server, sizeof wanted->server) != 0 && errno != EINPROGRESS) {
    give_up("no connection: %s", strerror(errno));
  }
  return descriptor;
}

static void offer_session(struct visitor *visitor) {
  if (!visitor->session) return;
  SSL_set_session(visitor->tls, visitor->session);
  if (options->mode != SINGLE_USE) return;
  SSL_SESSION_free(visitor->session);
  visitor->session = NULL;
}

static void ask(struct visitor *visitor) {
  visitor->step = ASKING;
  visitor->answer.length = 0;
  visitor->answer.head_length = 0;
  visitor->answer.body_length = 0;
  visitor->answer.closes = false;
}

void start_visit(struct visitor *visitor) {
  /* Sessions belong to one host; visitors without them go on to the next one. */
  if (options->mode == FULL) visitor->target = next_target(targets);
  visitor->request_length =
      snprintf(visitor->request, sizeof visitor->request, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
               options->method, visitor->target->path, visitor->target->hostname, options->headers);
  if (visitor->request_length >= REQUEST_BYTES_MAX) give_up("a path is too long");
  visitor->began_us = now_us();
  visitor->descriptor = connect_to_server(options, false);
  visitor->tls = SSL_new(context);
  SSL_set_app_data(visitor->tls, visitor);
  SSL_set_fd(visitor->tls, visitor->descriptor);
  SSL_set_tlsext_host_name(visitor->tls, visitor->target->hostname);
  offer_session(visitor);
  visitor->step = SHAKING;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = visitor};
  epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, visitor->descriptor, &event);
}

static void leave(struct visitor *visitor) {
  SSL_shutdown(visitor->tls);
  SSL_free(visitor->tls);
  close(visitor->descriptor);
}

static void fail(struct visitor *visitor, const char *what) {
  counts.failures += 1;
  if (counts.first_failure[0] == '\0') {
    unsigned long code = ERR_peek_error();
    const char *why = code ? ERR_reason_error_string(code) : strerror(errno);
    snprintf(counts.first_failure, sizeof counts.first_failure, "%s: %s", what, why ? why : "?");
  }
  ERR_clear_error();
  leave(visitor);
  start_visit(visitor);
}

static void finish(struct visitor *visitor) {
  uint64_t now = now_us();
  counts.operations += 1;
  if (visitor->answer.status != options->expected_status) counts.wrong_status += 1;
  note_latency(now - visitor->began_us);
  if (options->mode == KEEP_ALIVE && !visitor->answer.closes) {
    visitor->began_us = now;
    ask(visitor);
    return;
  }
  if (options->mode == KEEP_ALIVE) counts.reconnects += 1;
  leave(visitor);
  start_visit(visitor);
}

/* True while there is something to go on with. */
static bool waits_for_server(struct visitor *visitor, int result, const char *what) {
  int why = SSL_get_error(visitor->tls, result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return true;
  fail(visitor, why == SSL_ERROR_ZERO_RETURN ? "the server closed" : what);
  return false;
}

static bool read_some(struct visitor *visitor) {
  struct answer *answer = &visitor->answer;
  int got = SSL_read(visitor->tls, answer->bytes + answer->length,
                     (int)(sizeof answer->bytes - answer->length));
  if (got <= 0) return !waits_for_server(visitor, got, "reading");
  answer->length += (size_t)got;
  switch (read_answer(answer, strcmp(options->method, "HEAD") != 0)) {
    case ANSWER_PARTIAL:
      return true;
    case ANSWER_BROKEN:
      fail(visitor, "an answer that cannot be read");
      return true;
    default:
      finish(visitor);
      return true;
  }
}

static bool take_step(struct visitor *visitor) {
  int result;
  switch (visitor->step) {
    case SHAKING:
      result = SSL_connect(visitor->tls);
      if (result != 1) return !waits_for_server(visitor, result, "handshake");
      counts.handshakes += 1;
      if (!visitor->has_been_here) counts.first_visits += 1;
      visitor->has_been_here = true;
      if (SSL_session_reused(visitor->tls)) counts.resumed += 1;
      ask(visitor);
      return true;
    case ASKING:
      result = SSL_write(visitor->tls, visitor->request, visitor->request_length);
      if (result <= 0) return !waits_for_server(visitor, result, "asking");
      visitor->step = READING;
      return true;
    default:
      return read_some(visitor);
  }
}

/* Events come once per change: everything that can be done is done. */
void continue_visit(struct visitor *visitor) {
  while (take_step(visitor)) continue;
}
