// Leaves a file descriptor open and closes one that is not.
#include <fcntl.h>
#include <unistd.h>

int main(void) {
  int fd = open("/dev/null", O_RDONLY);
  close(fd + 50);
  return fd < 0;
}
