// A leak of each kind: definitely lost, indirectly lost, possibly lost, still reachable.
#include <stdlib.h>

struct node {
  struct node *next;
  char data[40];
};

static void *reachable;
static char *interior;

static void chain(void) {
  struct node *n = malloc(sizeof *n);
  n->next = malloc(sizeof *n);
  n->next->next = NULL;
}

static void clear_stack(void) {
  volatile char a[4096];
  for (unsigned i = 0; i < sizeof a; i++)
    a[i] = 0;
}

int main(void) {
  for (int i = 0; i < 3; i++)
    chain();
  reachable = malloc(1 << 20);
  interior = (char *)malloc(1234) + 100;
  clear_stack();
  return 0;
}
