// Errors in threads with names that look like XML. memcheck writes the names as they are.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

static char *block;

// memcheck folds errors with equal stacks, so each thread has a function of its own.
#define THREAD(function, name)                                                                                         \
  static void *function(void *unused) {                                                                                \
    pthread_setname_np(pthread_self(), name);                                                                          \
    block[10] = 1;                                                                                                     \
    return unused;                                                                                                     \
  }

THREAD(plain, "worker-1")
THREAD(markup, "a<b>&c")
THREAD(end_tag, "</error>")
THREAD(start_tag, "<stack>")
THREAD(reference, "&lt;&#0;&x;")
THREAD(bytes, "\xff\x01\n")

int main(void) {
  static void *(*const threads[])(void *) = {plain, markup, end_tag, start_tag, reference, bytes};
  block = malloc(10);
  for (unsigned i = 0; i < sizeof threads / sizeof *threads; i++) {
    pthread_t t;
    pthread_create(&t, NULL, threads[i], NULL);
    pthread_join(t, NULL);
  }
  free(block);
  return 0;
}
