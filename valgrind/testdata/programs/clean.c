// Nothing is wrong here. Its arguments may be anything.
#include <stdlib.h>

int main(void) {
  free(malloc(10));
  return 0;
}
