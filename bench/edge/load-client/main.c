/* The load client of `npm run bench -- edge`: a number of visitors, each with one thing under way at a time,
 * who come over TLS to many hosts (SNI) of one server. Prints what they saw as one line of JSON.
 *
 *   load-client --mode keep-alive|full|resumed|single-use --port P --targets FILE [--ca FILE]
 *               [--visitors N] [--addresses N] [--status S] [--method M] [--header LINE]...
 *               [--tls 1.2|1.3] [--warmup SECONDS] [--seconds SECONDS] [--operations MAX] [--pid PID]...
 *
 * FILE has one "hostname path" a line. Latency: from the request to the whole answer (keep-alive), else from
 * connect() to the whole answer. `--pid`: processes whose CPU time is read at both ends of the span. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "load-client.h"

enum { EVENTS_AT_ONCE = 256, FAILURES_MAX = 10000 };

uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

_Noreturn void give_up(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load-client: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static const struct option OPTIONS[] = {
    {"mode", required_argument, NULL, 'm'},     {"port", required_argument, NULL, 'p'},
    {"targets", required_argument, NULL, 't'},  {"ca", required_argument, NULL, 'c'},
    {"visitors", required_argument, NULL, 'v'}, {"addresses", required_argument, NULL, 'a'},
    {"status", required_argument, NULL, 's'},   {"method", required_argument, NULL, 'M'},
    {"header", required_argument, NULL, 'h'},   {"tls", required_argument, NULL, 'T'},
    {"warmup", required_argument, NULL, 'w'},   {"seconds", required_argument, NULL, 'd'},
    {"pid", required_argument, NULL, 'P'},      {"operations", required_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
};

static const char *const MODES[] = {"keep-alive", "full", "resumed", "single-use"};

static enum mode parse_mode(const char *text) {
  for (int mode = KEEP_ALIVE; mode <= SINGLE_USE; mode += 1) {
    if (strcmp(text, MODES[mode]) == 0) return (enum mode)mode;
  }
  give_up("there is no mode %s", text);
}

static void add_header(struct options *options, const char *line) {
  size_t length = strlen(options->headers);
  size_t room = sizeof options->headers - length;
  if ((size_t)snprintf(options->headers + length, room, "%s\r\n", line) >= room) {
    give_up("too many headers");
  }
}

static void take_option(struct options *options, int letter, const char *value) {
  switch (letter) {
    case 'm': options->mode = parse_mode(value); break;
    case 'p': options->server.sin_port = htons((uint16_t)atoi(value)); break;
    case 't': options->targets_file = value; break;
    case 'c': options->ca_file = value; break;
    case 'v': options->visitors = atoi(value); break;
    case 'a': options->source_addresses = atoi(value); break;
    case 's': options->expected_status = atoi(value); break;
    case 'M': options->method = value; break;
    case 'h': add_header(options, value); break;
    case 'T': options->tls_version = strcmp(value, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION; break;
    case 'w': options->warmup_s = atof(value); break;
    case 'd': options->measured_s = atof(value); break;
    case 'o': options->operations_max = strtoull(value, NULL, 10); break;
    case 'P':
      if (options->pid_count == PIDS_MAX) give_up("too many processes");
      options->pids[options->pid_count] = atoi(value);
      options->pid_count += 1;
      break;
    default: exit(2);
  }
}

static struct options parse_options(int count, char **arguments) {
  struct options options = {
      .server = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
      .method = "GET",
      .visitors = 64,
      .source_addresses = 4096,
      .expected_status = 302,
      .tls_version = TLS1_3_VERSION,
      .warmup_s = 0.5,
      .measured_s = 3,
      .operations_max = UINT64_MAX,
  };
  for (int letter; (letter = getopt_long(count, arguments, "", OPTIONS, NULL)) != -1;) {
    take_option(&options, letter, optarg);
  }
  if (!options.targets_file || options.server.sin_port == 0) give_up("--port and --targets are needed");
  return options;
}

static void serve_events_until(int epoll, uint64_t deadline_us, uint64_t operations_max) {
  struct epoll_event events[EVENTS_AT_ONCE];
  for (;;) {
    uint64_t now = now_us();
    if (now >= deadline_us || counts.operations >= operations_max) return;
    int timeout_ms = (int)((deadline_us - now) / 1000u) + 1;
    int count = epoll_wait(epoll, events, EVENTS_AT_ONCE, timeout_ms);
    if (count < 0 && errno != EINTR) give_up("epoll: %s", strerror(errno));
    for (int index = 0; index < count; index += 1) continue_visit(events[index].data.ptr);
    if (counts.failures > FAILURES_MAX && counts.failures > counts.operations) {
      give_up("%s, again and again", counts.first_failure);
    }
  }
}

static uint64_t own_cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
         (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void print_report(const struct options *options, uint64_t span_us, uint64_t own_us,
                         const uint64_t *server_us) {
  printf("{\"mode\":\"%s\",\"spanUs\":%lu,\"operations\":%lu,\"handshakes\":%lu,",
         MODES[options->mode], span_us, counts.operations, counts.handshakes);
  printf("\"firstVisits\":%lu,\"resumed\":%lu,", counts.first_visits, counts.resumed);
  printf("\"failures\":%lu,\"wrongStatus\":%lu,\"reconnects\":%lu,\"firstFailure\":\"%s\",",
         counts.failures, counts.wrong_status, counts.reconnects, counts.first_failure);
  printf("\"p50Us\":%lu,\"p90Us\":%lu,\"p99Us\":%lu,\"p999Us\":%lu,", latency_at(0.5),
         latency_at(0.9), latency_at(0.99), latency_at(0.999));
  printf("\"clientCpuUs\":%lu,\"cpuUs\":[", own_us);
  for (int index = 0; index < options->pid_count; index += 1) {
    printf("%s%lu", index == 0 ? "" : ",", server_us[index]);
  }
  printf("]}\n");
}

int main(int count, char **arguments) {
  struct options options = parse_options(count, arguments);
  signal(SIGPIPE, SIG_IGN);
  struct targets targets = read_targets(options.targets_file);
  if (options.ca_file) check_certificates(&options, &targets);

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  prepare_visitors(&options, &targets, epoll);
  for (int index = 0; index < options.visitors; index += 1) start_visit(create_visitor());
  serve_events_until(epoll, now_us() + (uint64_t)(options.warmup_s * 1e6), UINT64_MAX);

  memset(&counts, 0, sizeof counts);
  forget_latencies();
  uint64_t server_us[PIDS_MAX] = {0};
  for (int index = 0; index < options.pid_count; index += 1) {
    server_us[index] = cpu_time_of(options.pids[index]);
  }
  uint64_t own_us = own_cpu_us();
  uint64_t began_us = now_us();
  serve_events_until(epoll, began_us + (uint64_t)(options.measured_s * 1e6), options.operations_max);
  uint64_t span_us = now_us() - began_us;
  for (int index = 0; index < options.pid_count; index += 1) {
    server_us[index] = cpu_time_of(options.pids[index]) - server_us[index];
  }
  print_report(&options, span_us, own_cpu_us() - own_us, server_us);
  return 0;
}
