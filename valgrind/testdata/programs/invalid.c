// Reads and writes beyond a heap block, before it, and at an address that nobody owns.
#include <stdlib.h>

static void past_end(char *p) {
  p[10] = 1;
}

static int before_start(const int *p) {
  return p[-1];
}

int main(void) {
  char *p = malloc(10);
  int *q = malloc(16);
  past_end(p);
  volatile int sum = before_start(q);
  sum += *(volatile short *)(p + 4096 * 64);
  free(p);
  free(q);
  return sum == 42;
}
