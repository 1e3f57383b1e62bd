// C++ symbols with <, > and &: templates, operators, references, a lambda, names of hundreds of bytes.
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

template <typename K, typename V> struct table {
  std::map<K, std::vector<V>> m;
  __attribute__((noinline)) V operator<<(const K &key) {
    V *p = static_cast<V *>(std::malloc(sizeof(V)));
    V v = p[1];
    std::free(p);
    return m[key].empty() ? v : m[key][0];
  }
};

template <typename T> __attribute__((noinline)) int deep(const T &, int *p) {
  return p[2];
}

using two = std::pair<std::map<std::string, int>, std::map<int, std::string>>;

int main() {
  table<std::string, int> t;
  volatile int sum = t << "key";
  int *p = static_cast<int *>(std::malloc(8));
  auto f = [&](int i) __attribute__((noinline)) { return p[i] & 1; };
  sum += f(3);
  sum += deep(two(), p);
  std::free(p);
  return sum == 42;
}
