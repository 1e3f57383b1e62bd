// new[] ended by free, and malloc by delete.
#include <cstdlib>

int main() {
  char *p = new char[32];
  std::free(p);
  int *volatile q = static_cast<int *>(std::malloc(sizeof(int)));
  delete q;
  return 0;
}
