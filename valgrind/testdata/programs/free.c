// Use after free, double free, the free of a pointer into a block and of a local variable: errors with several stacks.
#include <stdlib.h>

static char *make(void) {
  return malloc(24);
}

static void drop(char *p) {
  free(p);
}

int main(void) {
  char *p = make();
  drop(p);
  volatile char c = p[8];
  drop(p);
  char *q = make();
  drop(q + 8);
  char local[8];
  void *volatile r = local;
  free(r);
  drop(q);
  return c == 42;
}
