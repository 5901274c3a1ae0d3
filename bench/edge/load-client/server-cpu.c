#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load-client.h"

/* The client reads it itself, so that it is read exactly where the measured span starts and ends.
 * User and system time of /proc are rounded to a clock tick (10 ms), but not sampled. */
uint64_t cpu_time_of(int pid) {
  char path[64];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *stream = fopen(path, "r");
  if (!stream) return 0;
  size_t length = fread(text, 1, sizeof text - 1, stream);
  fclose(stream);
  text[length] = '\0';
  /* The name of the program may have spaces and brackets of its own. */
  char *fields = strrchr(text, ')');
  unsigned long user_ticks = 0;
  unsigned long system_ticks = 0;
  if (!fields || sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                        &user_ticks, &system_ticks) != 2) {
    return 0;
  }
  return (uint64_t)(user_ticks + system_ticks) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}
