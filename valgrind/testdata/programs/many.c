// The same error a thousand times, and others once: counts.
#include <stdlib.h>

static void again(char *p) {
  p[4] = 1;
}

int main(void) {
  char *p = malloc(4);
  for (int i = 0; i < 1234; i++)
    again(p);
  p[5] = 1;
  free(p);
  return 0;
}
