// Frames with fields missing: code that was made at run time has nothing but an address.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(void) {
  // mov (%rdi),%al; ret
  static const unsigned char code[] = {0x8a, 0x07, 0xc3};
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(page, code, sizeof code);
  char (*read_byte)(const char *) = (char (*)(const char *))page;
  char *p = malloc(4);
  volatile char c = read_byte(p + 4);
  free(p);
  return c == 42;
}
