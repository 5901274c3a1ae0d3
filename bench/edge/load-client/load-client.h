/* What the files of the load client share. main.c says what the program is for. */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode {
  KEEP_ALIVE, /* connections stay open; one request after the other on each */
  FULL,       /* each visit: new connection, full handshake, one request, close */
  RESUMED,    /* each visitor keeps one session and resumes it again and again */
  SINGLE_USE  /* each ticket is used once, as RFC 8446 (appendix C.4) asks of clients */
};

enum { HEADERS_BYTES_MAX = 2048, PIDS_MAX = 16 };

struct options {
  enum mode mode;
  struct sockaddr_in server;
  const char *targets_file;
  const char *ca_file;
  char headers[HEADERS_BYTES_MAX];
  const char *method;
  int visitors;
  int source_addresses;
  int expected_status;
  int tls_version;
  double warmup_s;
  double measured_s;
  uint64_t operations_max;
  int pids[PIDS_MAX];
  int pid_count;
};

struct target {
  char *hostname;
  char *path;
};

struct targets {
  struct target *list;
  size_t count;
  size_t next;
};

/* latencies.c: counts by logarithmic class, so that no sample is thrown away. */
void note_latency(uint64_t microseconds);
void forget_latencies(void);
uint64_t latency_at(double fraction);

/* answer.c: where an answer ends. */
enum { ANSWER_BYTES_MAX = 16384 };

struct answer {
  char bytes[ANSWER_BYTES_MAX];
  size_t length;
  size_t head_length; /* 0 until the head is complete */
  size_t body_length;
  int status;
  bool closes;
};

enum answer_state { ANSWER_PARTIAL, ANSWER_WHOLE, ANSWER_BROKEN };
enum answer_state read_answer(struct answer *answer, bool has_body);

/* targets.c */
struct targets read_targets(const char *file);
struct target *next_target(struct targets *targets);

/* server-cpu.c: CPU time of a process, all its threads, in microseconds. */
uint64_t cpu_time_of(int pid);

/* check.c: one verified handshake for each of the first hosts; exits if one does not verify. */
void check_certificates(const struct options *options, const struct targets *targets);

/* visitor.c */
struct counts {
  uint64_t operations;
  uint64_t handshakes;
  uint64_t first_visits; /* handshakes of visitors who could not have a session yet */
  uint64_t resumed;
  uint64_t failures;
  uint64_t wrong_status;
  uint64_t reconnects;
  char first_failure[160];
};

extern struct counts counts;

struct visitor;
void prepare_visitors(const struct options *options, struct targets *targets, int epoll);
struct visitor *create_visitor(void);
void start_visit(struct visitor *visitor);
void continue_visit(struct visitor *visitor);

uint64_t now_us(void);
int connect_to_server(const struct options *options, bool waits);
_Noreturn void give_up(const char *format, ...);

#endif
