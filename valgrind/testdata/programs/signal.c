// Dies by the signal that its argument names.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  char *p = malloc(8);
  if (strcmp(how, "segv") == 0)
    *(volatile int *)0x10 = 1;
  if (strcmp(how, "abort") == 0)
    abort();
  if (strcmp(how, "term") == 0)
    kill(getpid(), SIGTERM);
  if (strcmp(how, "jump") == 0)
    ((void (*)(void))0x20)();
  if (strcmp(how, "kill-self") == 0) // memcheck sees it coming and ends its report
    kill(getpid(), SIGKILL);
  if (strcmp(how, "kill") == 0) { // this one it does not see
    p[8] = 1;
    system("kill -9 $PPID");
  }
  free(p);
  return 0;
}
