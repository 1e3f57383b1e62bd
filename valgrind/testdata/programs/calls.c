// Errors about the arguments of functions: overlap in memcpy, a buffer that is not set given to write(2), a size that
// must have been negative.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char *p = calloc(1, 64);
  char *volatile to = p + 4;
  volatile size_t n = 16;
  memcpy(to, p, n);

  char *buffer = malloc(32);
  int fd = open("/dev/null", O_WRONLY);
  ssize_t written = write(fd, buffer, 32);
  close(fd);

  volatile intptr_t size = -1;
  void *none = malloc((size_t)size);
  free(none);
  free(buffer);
  free(p);
  return written != 32;
}
