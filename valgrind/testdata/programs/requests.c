// Client requests: messages with and without a stack, checks, leak checks in the middle, a pool that does not exist.
#include <stdlib.h>
#include <valgrind/memcheck.h>

static void *volatile lost;

int main(void) {
  VALGRIND_PRINTF("before <%s> & after\n", "a & b");
  VALGRIND_PRINTF("two\nlines\n");
  VALGRIND_PRINTF("bytes: \x01 \x1b[31m \xff\xc3\x28\n");
  VALGRIND_PRINTF_BACKTRACE("with a stack: %d\n", 7);

  lost = malloc(40);
  lost = NULL;
  VALGRIND_DO_LEAK_CHECK;
  lost = malloc(50);
  lost = NULL;
  VALGRIND_DO_ADDED_LEAK_CHECK;

  char *p = malloc(16);
  (void)VALGRIND_MAKE_MEM_NOACCESS(p, 8);
  (void)VALGRIND_CHECK_MEM_IS_ADDRESSABLE(p, 16);
  (void)VALGRIND_CHECK_MEM_IS_DEFINED(p + 8, 8);
  VALGRIND_MEMPOOL_FREE(0x1234, p);
  VALGRIND_DESTROY_MEMPOOL(0x1234);
  VALGRIND_PRINTF("errors: %u\n", VALGRIND_COUNT_ERRORS);
  VALGRIND_MONITOR_COMMAND("no such command");
  free(p);
  return 0;
}
