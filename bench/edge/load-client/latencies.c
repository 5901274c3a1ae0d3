#include <string.h>

#include "load-client.h"

/* 64 classes per power of two: off by less than 1.6 %. */
enum { CLASS_BITS = 6, CLASSES = 1 << CLASS_BITS, POWERS = 40 };

static uint64_t counted[POWERS * CLASSES];
static uint64_t total;

static size_t class_of(uint64_t value) {
  if (value < CLASSES) return value;
  int shift = 63 - __builtin_clzll(value) - CLASS_BITS;
  size_t index = (size_t)(shift + 1) * CLASSES + ((value >> shift) & (CLASSES - 1));
  size_t last = POWERS * CLASSES - 1;
  return index < last ? index : last;
}

static uint64_t value_of(size_t index) {
  if (index < CLASSES) return index;
  int shift = (int)(index / CLASSES) - 1;
  return ((uint64_t)CLASSES + index % CLASSES) << shift;
}

void note_latency(uint64_t microseconds) {
  counted[class_of(microseconds)] += 1;
  total += 1;
}

void forget_latencies(void) {
  memset(counted, 0, sizeof counted);
  total = 0;
}

uint64_t latency_at(double fraction) {
  uint64_t wanted = (uint64_t)((double)total * fraction);
  uint64_t seen = 0;
  for (size_t index = 0; index < POWERS * CLASSES; index += 1) {
    seen += counted[index];
    if (seen > wanted) return value_of(index);
  }
  return 0;
}
