#include "p.h"
char *make_name(void) { char *n = new char[8]; n[0] = 'n'; return n; }
