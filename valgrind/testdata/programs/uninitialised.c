// A condition and an address that depend on memory that nobody set: from the heap, from the stack.
#include <stdio.h>
#include <stdlib.h>

static int table[4] = {1, 2, 3, 4};

static int from_heap(void) {
  int *p = malloc(sizeof *p);
  int v = *p;
  free(p);
  return v;
}

static int from_stack(void) {
  volatile int v[4];
  return v[2];
}

int main(void) {
  if (from_heap() > 7)
    puts("more");
  printf("%d\n", table[from_stack() & 3]);
  return 0;
}
