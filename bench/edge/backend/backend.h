/* What the files of the backend share. main.c says what the program is for. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stdbool.h>
#include <stddef.h>

enum { REQUEST_BYTES_MAX = 16384, TARGET_BYTES_MAX = 2048 };

struct connection {
  int descriptor;
  bool is_closed;
  bool waits; /* for its hit to be durable; what else arrived is read after that */
  size_t length;
  char bytes[REQUEST_BYTES_MAX];
  char location[TARGET_BYTES_MAX + 1];
  struct connection *next_waiting;
};

/* link.c: opens "/c/<key id>/<payload>/<mac>" as src/tracking/signed-link.ts does. */
void set_link_key(const char *id, const char *secret_in_hex);
/* Writes the target of the link to `location`; `reference` points into scratch of the callee. */
bool open_link(const char *path, size_t path_length, const char *hostname, size_t hostname_length,
               char *location, const char **reference);

/* journal.c: hits, appended and synced in groups by a thread of its own. */
int open_journal(const char *file);
/* Notes a hit; its connection is handed out by `next_durable` once the hit survives a power cut. */
void append_hit(struct connection *connection, const char *reference, const char *hostname,
                size_t hostname_length);
struct connection *take_durable(void);

_Noreturn void give_up(const char *what);

#endif
