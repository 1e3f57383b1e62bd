// Announces two heap blocks that overlap, which memcheck notices only when it looks for leaks: it aborts there.
#include <stdlib.h>
#include <valgrind/memcheck.h>

int main(void) {
  char *p = malloc(128);
  p[128] = 1;
  static char pool[256];
  VALGRIND_MALLOCLIKE_BLOCK(pool, 64, 0, 0);
  VALGRIND_MALLOCLIKE_BLOCK(pool + 32, 64, 0, 0);
  return 0;
}
