#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load-client.h"

/* One "hostname path" a line. */
struct targets read_targets(const char *file) {
  FILE *stream = fopen(file, "r");
  if (!stream) give_up("%s cannot be read", file);
  struct targets targets = {0};
  size_t room = 0;
  char line[8192];
  while (fgets(line, sizeof line, stream)) {
    char *space = strchr(line, ' ');
    if (!space) give_up("a line of %s is not \"hostname path\"", file);
    *space = '\0';
    space[1 + strcspn(space + 1, "\r\n")] = '\0';
    if (targets.count == room) {
      room = room == 0 ? 128 : room * 2;
      targets.list = realloc(targets.list, room * sizeof *targets.list);
      if (!targets.list) give_up("out of memory");
    }
    targets.list[targets.count] = (struct target){strdup(line), strdup(space + 1)};
    targets.count += 1;
  }
  fclose(stream);
  if (targets.count == 0) give_up("%s is empty", file);
  return targets;
}

struct target *next_target(struct targets *targets) {
  struct target *target = &targets->list[targets->next];
  targets->next = (targets->next + 1) % targets->count;
  return target;
}
