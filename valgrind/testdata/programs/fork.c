// Parent and child each make an error. Without %p in --xml-file both write into the same report.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  char *p = malloc(10);
  pid_t child = fork();
  p[child == 0 ? 10 : 11] = 1;
  if (child != 0)
    waitpid(child, NULL, 0);
  free(p);
  return 0;
}
